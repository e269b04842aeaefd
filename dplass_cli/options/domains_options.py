"""Options of ``domains``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dplass_cli.options.declaration import argument, option
from dplass_cli.options.model_options import EncoderOptions


@dataclass(frozen=True)
class DomainsAssignOptions(EncoderOptions):
    """Options of ``domains assign``."""

    sentences: tuple[str, ...] = argument("SENTENCE", help="Sentences whose domain to find.")
    partition: Path = option("--partition", help="The partition folder.")


@dataclass(frozen=True)
class DomainsCompareOptions:
    """Options of ``domains compare``."""

    first: Path = argument("FIRST", help="A partition folder.")
    second: Path = argument("SECOND", help="Another partition folder.")
