"""What is done with a recording that was sent: a wav of it, its targets and the rest, and a picture of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dplass_cli.audio.reading import AudioInfo, audio_info
from dplass_cli.audio.streaming import even_blocks, read_blocks
from dplass_cli.audio.writing import audio_writer
from dplass_cli.errors import InputError
from dplass_cli.separation.output import RESIDUAL
from dplass_cli.separation.separator import Separator
from dplass_cli.server.job_queue import SeparationJob, Sound, Tell
from dplass_cli.server.pictures import draw, levels

MAX_QUERIES, MAX_QUERY_LENGTH = 8, 300
_MAX_CHANNELS = 8
_MOST_SAMPLES_A_SECOND = 2 * 48000
_PLAYED = ("PCM_16", "PCM_24", "FLOAT")  # by every browser
_FINE = ("PCM_32", "DOUBLE")
_READ_AT_ONCE = 1 << 18


class SeparationWork:
    """The work of a job, by one separator."""

    def __init__(self, separator: Separator) -> None:
        self._separator = separator

    @property
    def description(self) -> str:
        """What serves the queries, without paths."""
        adapters = len(self._separator.bank.keys)
        return f"{adapters} adapters, chosen by {self._separator.policy.name}" if adapters else "the base model alone"

    def check(self, info: AudioInfo, max_seconds: float) -> None:
        """Refuse recordings that would take the machine down; a few bytes of silence can be gigabytes.

        Raises:
            InputError: too long, too many channels, or more samples than stereo of that length.
        """
        if info.seconds > max_seconds:
            raise InputError(f"the recording has {info.seconds:.0f} s; at most {max_seconds:g} s are taken")
        if info.channels > _MAX_CHANNELS:
            raise InputError(f"the recording has {info.channels} channels; at most {_MAX_CHANNELS} are taken")
        samples, most = info.frames * info.channels / 1e6, max_seconds * _MOST_SAMPLES_A_SECOND / 1e6
        if samples > most:
            raise InputError(
                f"the recording has {samples:.0f} million samples in all channels; at most {most:.0f} million are"
                " taken: send it at a lower rate, or with fewer channels"
            )

    def __call__(self, job: SeparationJob, tell: Tell) -> tuple[Sound, ...]:
        """Do a job; see :data:`~dplass_cli.server.job_queue.Work`."""
        recording = job.folder / "recording.wav"
        assert job.info is not None
        _as_wav(job.upload, recording, job.info, tell)
        job.upload.unlink()
        tell("separating", 0.0)
        written = self._separator.separate_file(
            recording,
            job.queries,
            job.folder,
            residual=True,
            name="sound",
            progress=lambda done, total, what: tell(what.partition(" ")[0], done / total),
        )
        sounds = [Sound("recording", "recording", recording, _picture(recording))]
        for number, one in enumerate(written, 1):
            if one.query == RESIDUAL:
                sounds.append(Sound("residual", "residual", one.path, _picture(one.path), clipped=one.clipped))
            else:
                target = Sound(str(number), "target", one.path, _picture(one.path), one.query, one.adapter, one.clipped)
                sounds.append(target)
        _draw_all(sounds, tell)
        return tuple(sounds)


def check_queries(queries: Sequence[str]) -> tuple[str, ...]:
    """The distinct queries, without blanks around them.

    Raises:
        InputError: none, too many, one that is empty or too long, or the name of what is left over.
    """
    distinct = tuple(dict.fromkeys(query.strip() for query in queries))
    if not distinct or "" in distinct:
        raise InputError("a query is empty; describe the sound, such as 'a dog barking'")
    if len(distinct) > MAX_QUERIES:
        raise InputError(f"{len(distinct)} queries; at most {MAX_QUERIES} are taken at once")
    if max(map(len, distinct)) > MAX_QUERY_LENGTH:
        raise InputError(f"a query has more than {MAX_QUERY_LENGTH} characters; say it shorter")
    if any("\0" in query for query in distinct):
        raise InputError("a query holds a null character; take it out")
    if RESIDUAL in distinct:
        raise InputError(f"{RESIDUAL!r} is the name of what is left over; describe the sound otherwise")
    return distinct


def _as_wav(source: Path, wav: Path, info: AudioInfo, tell: Tell) -> None:
    """Decode a recording of any format to a wav in a sample format that browsers play."""
    subtype = info.subtype if info.subtype in _PLAYED else "FLOAT" if info.subtype in _FINE else "PCM_16"
    done = 0
    with audio_writer(wav, info.sample_rate, info.channels, subtype, info.frames) as write:
        for block in read_blocks(source, even_blocks(info.frames, _READ_AT_ONCE)):
            tell("reading", done / info.frames)
            write(block)
            done += block.shape[-1]


def _draw_all(sounds: Sequence[Sound], tell: Tell) -> None:
    """Draw the spectrograms of a job on one scale of levels: that of its recording, which comes first."""
    info = audio_info(sounds[0].audio)
    top_db = None
    for done, sound in enumerate(sounds):
        found = levels(sound.audio, info, lambda done=done: tell("drawing", done / len(sounds)))  # type: ignore[misc]
        top_db = float(found.max()) if top_db is None else top_db
        draw(found, top_db, sound.picture)


def _picture(wav: Path) -> Path:
    return wav.with_suffix(".png")
