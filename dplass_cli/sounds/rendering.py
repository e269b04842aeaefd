"""Rendering clips of a sound class, identical in every process for the same seed."""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

from dplass_cli.errors import InvalidValue, check_choice
from dplass_cli.sounds.catalogue import CATALOGUE
from dplass_cli.sounds.synthesis import SyntheticClip

_CLASSES = {each.name: each for each in CATALOGUE}
_SHORTEST = 0.25  # seconds; shorter clips cannot contain an event of many classes
_LOWEST_RATE = 16000  # Hz; the highest sounds need this rate


def render(name: str, seed: int, seconds: float = 5.0, sample_rate: int = 32000) -> npt.NDArray[np.float32]:
    """Render a clip of the class ``name``.

    Args:
        name: a name from the catalogue.
        seed: not negative; each seed gives another clip of the class.
        seconds: length, at least 0.25.
        sample_rate: in Hz, at least 16000.

    Returns:
        float32 (round(seconds · sample_rate),), mono, with a peak between 0.3 and 0.9.

    Raises:
        InputError: the name is unknown, or a number is out of range.
    """
    check_choice("sound", name, _CLASSES)
    if seed < 0:
        raise InvalidValue("seed", seed, "at least 0")
    if not (np.isfinite(seconds) and seconds >= _SHORTEST):
        raise InvalidValue("seconds", seconds, f"at least {_SHORTEST}")
    if sample_rate < _LOWEST_RATE:
        raise InvalidValue("sample_rate", sample_rate, f"at least {_LOWEST_RATE}")
    # A checksum instead of hash(), which Python salts differently in every process.
    rng = np.random.default_rng([zlib.crc32(name.encode()), seed])
    level = rng.uniform(0.3, 0.9)
    sound = _CLASSES[name].render(SyntheticClip(rng, round(seconds * sample_rate), sample_rate))
    sound = sound - sound.mean()
    clip: npt.NDArray[np.float32] = (sound * (level / np.abs(sound).max())).astype(np.float32)
    return clip
