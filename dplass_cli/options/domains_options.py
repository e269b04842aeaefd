"""Options of ``domains``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dplass_cli.options.declaration import Options, argument, required
from dplass_cli.options.model_options import EncoderOptions


@dataclass(frozen=True)
class DomainsAssignOptions(EncoderOptions):
    """Options of ``domains assign``."""

    sentences: tuple[str, ...] = argument("SENTENCE", "Sentences whose domain to find.")
    partition: Path = required("The partition folder.")


@dataclass(frozen=True)
class DomainsCompareOptions(Options):
    """Options of ``domains compare``."""

    first: Path = argument("FIRST", "A partition folder.")
    second: Path = argument("SECOND", "Another partition folder.")
