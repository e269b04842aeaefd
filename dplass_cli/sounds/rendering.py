"""Render one clip of a named sound class, the same in every process for the same seed."""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

from dplass_cli.errors import InputError, nearest
from dplass_cli.sounds.catalogue import CATALOGUE

_CLASSES = {each.name: each for each in CATALOGUE}
_SHORTEST = 0.25  # seconds; below this a single event of many classes would not fit
_LOWEST_RATE = 16000  # Hz; below this the highest classes would lie above half the rate


def render(name: str, seed: int, seconds: float = 5.0, sample_rate: int = 32000) -> npt.NDArray[np.float32]:
    """Render a clip of the class ``name``.

    Args:
        name: a name from the catalogue.
        seed: not negative; the same seed gives the same samples, another seed another clip of the class.
        seconds: length, at least 0.25.
        sample_rate: in Hz, at least 16000.

    Returns:
        float32 (round(seconds · sample_rate),), mono, with a peak between 0.3 and 0.9.

    Raises:
        InputError: (a ``ValueError``) the name is unknown, or a number is out of its range.
    """
    if name not in _CLASSES:
        raise InputError(f"unknown sound {name!r}{nearest(name, _CLASSES)}")
    if seed < 0:
        raise InputError(f"seed is {seed}; it must not be negative")
    if not (np.isfinite(seconds) and seconds >= _SHORTEST):
        raise InputError(f"seconds is {seconds}; it must be at least {_SHORTEST}")
    if sample_rate < _LOWEST_RATE:
        raise InputError(f"sample_rate is {sample_rate}; it must be at least {_LOWEST_RATE}")
    # A checksum, not hash(): Python salts the hash of strings anew in every process.
    rng = np.random.default_rng([zlib.crc32(name.encode()), seed])
    level = rng.uniform(0.3, 0.9)
    sound = _CLASSES[name].render(rng, round(seconds * sample_rate), sample_rate)
    sound = sound - sound.mean()
    clip: npt.NDArray[np.float32] = (sound * (level / np.abs(sound).max())).astype(np.float32)
    return clip
