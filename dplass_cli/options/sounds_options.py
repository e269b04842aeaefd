"""Options of ``sounds``."""

from __future__ import annotations

from dataclasses import dataclass

from dplass_cli.options.model_options import ModelOptions


@dataclass(frozen=True, kw_only=True)
class SoundsOptions(ModelOptions):
    """Options of ``sounds``."""
