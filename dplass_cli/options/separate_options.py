"""Options of ``separate``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dplass_cli.errors import InputError
from dplass_cli.options.model_options import SeparatorOptions

Clipping = Literal["limit", "scale", "error"]


Highband = Literal["residual", "target", "drop"]


@dataclass(frozen=True)
class SeparateOptions(SeparatorOptions):
    """Options of ``separate``; the models as :class:`~dplass_cli.options.model_options.SeparatorOptions`.

    Attributes:
        inputs: audio files, folders of them, or patterns.
        query: sentences, one target each. queries: a file of sentences, a line each.
        like: recordings of a sound, or folders of several, one target each.
        spans: where the one target occurs, in seconds, such as ``3.2-4.0,6-7``.
        without: sentences about what every target is to be kept free of; without a target: the input less all of it.
        output: folder of the targets.
        list: a file of ``path<TAB>query<TAB>output name`` lines.
        residual: also write the input less all targets.
        consistent, silence_if_absent, highband: as :meth:`~dplass_cli.separation.separator.Separator.separate_file`.
        subtype, clip: as :class:`~dplass_cli.separation.output.Output`.
    """

    output: Path
    inputs: tuple[Path, ...] = ()
    query: tuple[str, ...] = ()
    queries: Path | None = None
    like: tuple[Path, ...] = ()
    spans: str | None = None
    without: tuple[str, ...] = ()
    list: Path | None = None
    residual: bool = False
    consistent: bool = False
    silence_if_absent: float | None = None
    subtype: str | None = None
    clip: Clipping = "limit"
    highband: Highband | None = None

    def __post_init__(self) -> None:
        if self.silence_if_absent is not None and not 0.0 <= self.silence_if_absent <= 1.0:
            raise InputError(f"--silence-if-absent {self.silence_if_absent}: must be a score from 0 to 1, such as 0.5")
