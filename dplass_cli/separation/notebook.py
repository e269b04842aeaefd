"""Sounds as HTML for notebooks: players and spectrograms, of bounded size, without IPython."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import soundfile
from markupsafe import Markup

from dplass_cli.audio.reading import Audio
from dplass_cli.audio.spectrograms import spectrogram_db, spectrogram_png
from dplass_cli.separation.bank import Activation
from dplass_cli.separation.presence import Presence

MOST_SOUNDS = 10
MOST_BYTES = 12 << 20
"""Bytes of audio in all players together, before the third that base64 adds."""

_PICTURE = (720, 128)
_BYTES_PER_SAMPLE = 2


@dataclass(frozen=True)
class NotebookSound:
    """A sound to show.

    Attributes:
        label: what it is.
        audio: float32 (C, T).
        note: what is known of it, such as its presence; may be empty.
    """

    label: str
    audio: Audio
    note: str = ""


def seconds_shown(sounds: int, channels: int, sample_rate: int, most_bytes: int = MOST_BYTES) -> float:
    """How much of each of several sounds is embedded, from its beginning, so that all are within ``most_bytes``."""
    share = most_bytes // min(sounds, MOST_SOUNDS)
    return share / (_BYTES_PER_SAMPLE * min(channels, 2) * sample_rate)


def sounds_html(
    sounds: Sequence[NotebookSound], sample_rate: int, seconds: float | None = None, most_bytes: int = MOST_BYTES
) -> str:
    """Show sounds one below the other, each with a spectrogram and a player of 16-bit WAV.

    At most :data:`MOST_SOUNDS` are shown, and of more than two channels their mean. Sounds above full scale are scaled
    down, all by the same factor, and all spectrograms have the same scale.

    Args:
        sounds: what to show, at least one; all have the same number of channels.
        sample_rate: Hz.
        seconds: length of the whole recording, if the sounds are only its beginning.
        most_bytes: of audio in all players together; longer sounds are cut.
    """
    shown = sounds[:MOST_SOUNDS]
    length = int(seconds_shown(len(sounds), shown[0].audio.shape[0], sample_rate, most_bytes) * sample_rate)
    cut = [_playable(sound.audio[:, : max(1, length)]) for sound in shown]
    peak = max(float(np.abs(audio).max(initial=0.0)) for audio in cut)
    levels = [spectrogram_db(audio.mean(axis=0)) for audio in cut]
    top_db = max(float(each.max()) for each in levels)
    parts = []
    for sound, audio, level in zip(shown, cut, levels, strict=True):
        whole = seconds or sound.audio.shape[1] / sample_rate
        parts.append(
            Markup(
                '<div style="margin:8px 0 16px"><div><b>{0}</b> {1}</div>'
                '<img src="data:image/png;base64,{2}" alt="Spectrogram of {0}, {3}"'
                ' style="display:block;width:100%;height:128px;image-rendering:pixelated">'
                '<div style="font-size:85%">{3}</div>'
                '<audio controls src="data:audio/wav;base64,{4}" style="display:block;width:100%"></audio></div>'
            ).format(
                sound.label,
                sound.note,
                _base64(spectrogram_png(level, top_db, _PICTURE)),
                _extent(audio.shape[1] / sample_rate, whole, sample_rate),
                _base64(_wav(audio / max(1.0, peak), sample_rate)),
            )
        )
    if len(sounds) > len(shown):
        parts.append(Markup("<div>and {} more</div>").format(len(sounds) - len(shown)))
    return str(Markup('<div style="max-width:720px">{}</div>').format(Markup("").join(parts)))


def target_note(adapter: Activation, presence: Presence | None) -> str:
    """What served a target, and its presence if that was measured, in words."""
    note = adapter if isinstance(adapter, str) else f"blend of {', '.join(adapter)}" if adapter else "base"
    if presence is None:
        return note
    return f"{note}, presence {presence.score:.2f}{'' if presence.calibrated else ' (not calibrated)'}"


def _playable(audio: Audio) -> Audio:
    return audio if audio.shape[0] <= 2 else audio.mean(axis=0, keepdims=True)


def _extent(shown: float, whole: float, sample_rate: int) -> str:
    length = f"{shown:.2f} s" if shown > whole - 0.01 else f"the first {shown:.1f} of {whole:.1f} s"
    return f"{length}, 0 to {sample_rate / 2000:g} kHz"


def _wav(audio: Audio, sample_rate: int) -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, audio.T, sample_rate, format="WAV", subtype="PCM_16")
    return stream.getvalue()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
