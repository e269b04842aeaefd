"""Options of ``export``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dplass_cli.options.declaration import option
from dplass_cli.options.model_options import MODELS, BaseOptions

Format = Literal["onnx", "openvino"]


@dataclass(frozen=True)
class ExportOptions(BaseOptions):
    """Options of ``export``."""

    output: Path = option(
        "--output", "-o", help="The file to write: .onnx, or .xml with its weights in a .bin next to it."
    )
    format: Format | None = option(
        "--format", default=None, shown="as the output's suffix says", help="onnx or openvino."
    )
    adapters: tuple[str, ...] = option(
        "--adapters",
        default=(),
        shown="none",
        hidden=("--dora_checkpoints",),
        panel=MODELS,
        help="Bank, adapter folder or published file. Repeatable.",
    )
    select: str | None = option(
        "--select",
        default=None,
        shown="the one adapter, if there is one",
        panel=MODELS,
        help="Which adapter to merge: single:k, or base for none.",
    )
