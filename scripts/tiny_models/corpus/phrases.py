"""Seeded phrases of instruments by the descriptions of the table, as MIDI files.

The generator of the existing clips isn't recorded, so these are other phrases of the same style, scale, tempo and
program. A description reads "FluidR3_GM: m pen 148 bpm, program 21" or "FluidR3_GM: drums 83 bpm".
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

import numpy as np

SCALES = {
    "maj": (0, 2, 4, 5, 7, 9, 11),
    "min": (0, 2, 3, 5, 7, 8, 10),
    "har": (0, 2, 3, 5, 7, 8, 11),  # harmonic minor
    "dor": (0, 2, 3, 5, 7, 9, 10),
    "pen": (0, 2, 4, 7, 9),
    "mpen": (0, 3, 5, 7, 10),  # minor pentatonic
}
SECONDS = (4.0, 5.5)  # of the notes; their decay follows
DRUMS = 9  # channel
KICK, SNARE, CLOSED_HAT, OPEN_HAT = 36, 38, 42, 46
TICKS = 1000  # per second
# Lowest tonic of instruments that don't play around middle C, by General MIDI program.
REGISTERS = {
    8: 72, 9: 79, 10: 72, 11: 60, 13: 65, 14: 60, 32: 28, 33: 28, 34: 28, 42: 41, 43: 31, 47: 40, 57: 45, 58: 33,
    60: 46, 66: 48, 70: 41, 72: 77, 74: 72,
}  # fmt: skip


@dataclass(frozen=True)
class Description:
    """What a row of the table says of a phrase.

    Attributes:
        style: "m" melody, "c" chords, "a" arpeggio, "b" bass line, "s" sustained, "d" rolls, or "drums".
        scale: a key of :data:`SCALES`.
        bpm: tempo in beats per minute.
        program: General MIDI program, from 0.
    """

    style: str
    scale: str
    bpm: int
    program: int


@dataclass(frozen=True)
class Note:
    """A note of a phrase.

    Attributes:
        start: in seconds.
        end: in seconds.
        pitch: MIDI number.
        velocity: 1 to 127.
    """

    start: float
    end: float
    pitch: int
    velocity: int


def parse(path: str) -> Description:
    """The description of a phrase in the table.

    Raises:
        ValueError: it can't be read.
    """
    if found := re.fullmatch(r"\S+: drums (\d+) bpm", path):
        return Description("drums", "maj", int(found[1]), 0)
    if found := re.fullmatch(r"\S+: (\w) (\w+) (\d+) bpm, program (\d+)", path):
        return Description(found[1], found[2], int(found[3]), int(found[4]))
    raise ValueError(f"{path!r}: expected a description such as 'FluidR3_GM: m pen 148 bpm, program 21'")


def compose(description: Description, seed: int) -> list[Note]:
    """A phrase of some seconds in a random key."""
    random = np.random.default_rng(seed)
    beat, length = 60 / description.bpm, float(random.uniform(*SECONDS))
    if description.style == "drums":
        return _drums(beat, length, random)
    scale = SCALES[description.scale]
    tonic = REGISTERS.get(description.program, 60) + int(random.integers(-5, 6))

    def pitch(degree: int) -> int:
        octave, step = divmod(degree, len(scale))
        return int(np.clip(tonic + 12 * octave + scale[step], 21, 108))

    notes, time, degree = list[Note](), 0.0, int(random.integers(0, 5))
    loudness = int(random.integers(70, 115))
    while length - time > beat / 16:
        chord, lasting = _figure(description.style, degree, beat, random)
        lasting = min(lasting, length - time)
        velocity = int(np.clip(loudness + random.integers(-12, 13), 30, 127))
        notes += [Note(time, time + 0.95 * lasting, pitch(each), velocity) for each in chord]
        time += lasting
        degree = int(np.clip(degree + random.integers(-2, 3), -2, 9))
    return notes


def _figure(style: str, degree: int, beat: float, random: np.random.Generator) -> tuple[list[int], float]:
    """The degrees that sound together next, and for how many seconds."""
    if style == "c":
        return [degree, degree + 2, degree + 4], beat * float(random.choice([1, 2]))
    if style == "s":
        return [degree, degree + 4], 4 * beat
    if style == "a":
        return [degree + int(random.choice([0, 2, 4, 7]))], beat / 2
    if style == "d":
        return [degree], beat / 8
    if style == "b":
        return [degree], beat * float(random.choice([0.5, 1]))
    return [degree], beat * float(random.choice([0.5, 0.5, 1, 1, 2]))


def _drums(beat: float, length: float, random: np.random.Generator) -> list[Note]:
    """Kick, snare and hi-hat in eighths."""
    notes = []
    for index in range(int(length / beat * 2)):
        start, hits = index * beat / 2, [OPEN_HAT if random.random() < 0.1 else CLOSED_HAT]
        if index % 8 in (0, 4) or random.random() < 0.15:
            hits.append(KICK)
        if index % 4 == 2:
            hits.append(SNARE)
        notes += [Note(start, start + beat / 4, hit, int(random.integers(75, 120))) for hit in hits]
    return notes


def midi_file(notes: list[Note], program: int, drums: bool = False) -> bytes:
    """A standard MIDI file with one track, at one second per :data:`TICKS`."""
    channel = DRUMS if drums else 0
    events = [(0.0, bytes([0xC0 | channel, program]))]
    for note in notes:
        events.append((note.start, bytes([0x90 | channel, note.pitch, note.velocity])))
        events.append((note.end, bytes([0x80 | channel, note.pitch, 0])))
    events.sort(key=lambda event: event[0])
    track, now = b"\0\xff\x51\x03" + (1_000_000).to_bytes(3, "big"), 0  # a quarter note lasts one second
    for time, message in events:
        tick = round(time * TICKS)
        track += _variable_length(tick - now) + message
        now = tick
    track += b"\0\xff\x2f\0"  # end of the track
    return b"MThd" + struct.pack(">I3H", 6, 0, 1, TICKS) + b"MTrk" + struct.pack(">I", len(track)) + track


def _variable_length(number: int) -> bytes:
    """A number in MIDI's groups of seven bits, all but the last one with the high bit set."""
    groups = [number & 127]
    while number := number >> 7:
        groups.append(number & 127 | 128)
    return bytes(reversed(groups))
