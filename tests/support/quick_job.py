"""A job of the page that separates nothing."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from dplass_cli.separation.presence import Presence

if TYPE_CHECKING:
    from dplass_cli.server.job_queue import ReportStep, SeparationJob, Sound


def run_quickly(job: SeparationJob, report: ReportStep) -> tuple[Sound, ...]:
    """A job whose sounds are copies of the recording, a wav. The word "rane" is not known."""
    from dplass_cli.server.job_queue import Sound
    from dplass_cli.server.spectrogram_images import write_image

    def sound(name: str, kind: Any, query: str | None = None, **more: Any) -> Sound:
        audio = job.folder / f"{name}.wav"
        shutil.copyfile(job.upload, audio)
        write_image(np.zeros((160, 90), np.float32), 0.0, audio.with_suffix(".png"))
        return Sound(name, kind, audio, audio.with_suffix(".png"), query, **more)

    found = Presence(0.93, 0.8, 0.1, -3.0, True)
    sounds = [sound("recording", "recording")]
    for number, query in enumerate(job.queries, 1):
        unknown = (f"the encoder does not know what {query.text!r} is; did you mean 'rain'?",)
        sounds.append(
            sound(
                str(number),
                "target",
                query.name,
                presence=None if query.is_removal else found,
                unknown=unknown if query.text == "rane" else (),
                removes=("removed-1",) if query.is_removal else (),
            )
        )
    removed = [sentence for query in job.queries if query.is_removal for sentence in query.sentences]
    sounds += [sound("removed-1", "removed", removed[0], presence=found)] if removed else []
    return (*sounds, sound("residual", "residual"))
