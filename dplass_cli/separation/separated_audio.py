"""The targets of a recording in memory: a dict of arrays that a notebook plays and draws."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from dplass_cli.separation.bank import Activation
from dplass_cli.separation.notebook import NotebookSound, sounds_html, target_note
from dplass_cli.separation.output import RESIDUAL
from dplass_cli.separation.presence import Presence


class SeparatedAudio(dict[str, npt.NDArray[np.float32]]):
    """Result of calling a :class:`~dplass_cli.separation.separator.Separator`: {query, or its name: float32 (C, T)}.

    In a notebook it shows players and spectrograms of the recording, the targets and the residual.

    Attributes:
        recording: the input, float32 (C, T).
        sample_rate: Hz.
        adapters: {query: the adapter that served it, or the weights of several; None for the base}.
        presence: {query: whether the recording contains it}; empty unless it was asked for, and without removals.
    """

    def __init__(
        self,
        targets: Mapping[str, npt.NDArray[np.float32]],
        recording: npt.NDArray[np.float32],
        sample_rate: int,
        adapters: Mapping[str, Activation] | None = None,
        presence: Mapping[str, Presence] | None = None,
    ) -> None:
        super().__init__(targets)
        self.recording, self.sample_rate = recording, sample_rate
        self.adapters, self.presence = dict(adapters or {}), dict(presence or {})

    @property
    def residual(self) -> npt.NDArray[np.float32]:
        """The recording minus all targets, float32 (C, T)."""
        return self.recording - sum(self.values(), np.zeros_like(self.recording))

    def __repr__(self) -> str:
        channels, samples = self.recording.shape
        return (
            f"SeparatedAudio({list(self)}, {channels} channel{'s' * (channels != 1)}, {samples} samples,"
            f" {self.sample_rate} Hz)"
        )

    def _repr_html_(self) -> str:
        targets = [
            NotebookSound(query, target, target_note(self.adapters.get(query), self.presence.get(query)))
            for query, target in self.items()
        ]
        sounds = [NotebookSound("recording", self.recording), *targets, NotebookSound(RESIDUAL, self.residual)]
        return sounds_html(sounds, self.sample_rate)
