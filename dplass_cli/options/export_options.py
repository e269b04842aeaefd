"""Options of ``export``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Format = Literal["onnx", "openvino"]


@dataclass(frozen=True)
class ExportOptions:
    """Options of ``export``.

    Attributes:
        output: the file to write: ``.onnx``, or ``.xml`` with its weights in a ``.bin`` beside it.
        format: ``onnx`` or ``openvino``; default: as the output's suffix says.
        adapters: a bank, adapter folders or published files. select: ``base``, or ``single:k`` for one of them.
        base_checkpoint, trust_checkpoint: the base.
    """

    output: Path
    format: Format | None = None
    adapters: tuple[str, ...] = ()
    select: str | None = None
    base_checkpoint: str = "tiny"
    trust_checkpoint: bool = False
