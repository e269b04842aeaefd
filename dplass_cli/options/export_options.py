"""Options of ``export``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dplass_cli.options.declaration import option, required
from dplass_cli.options.model_options import MODELS, BaseOptions

Format = Literal["onnx", "openvino"]


@dataclass(frozen=True)
class ExportOptions(BaseOptions):
    """Options of ``export``."""

    output: Path = required("The file to write: .onnx, or .xml with its weights in a .bin next to it.", also="-o")
    format: Format | None = option(None, "onnx or openvino.", shown="as the output's suffix says")
    adapters: tuple[str, ...] = option(
        (),
        "Bank, adapter folder or published file. Repeatable.",
        shown="none",
        hidden=("--dora_checkpoints",),
        panel=MODELS,
    )
    select: str | None = option(
        None,
        "Which adapter to merge: single:k, or base for none.",
        shown="the one adapter, if there is one",
        panel=MODELS,
    )
