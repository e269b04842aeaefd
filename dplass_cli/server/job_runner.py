"""Running a separation job: decode the upload to a wav, separate it, and draw the spectrogram of each sound."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dplass_cli.audio.reading import AudioInfo, audio_info, even_blocks, read_blocks
from dplass_cli.audio.writing import audio_writer
from dplass_cli.errors import InputError
from dplass_cli.separation.output import RESIDUAL
from dplass_cli.separation.separator import Separator
from dplass_cli.separation.wishes import understood
from dplass_cli.server.job_queue import ReportStep, SeparationJob, Sound
from dplass_cli.server.spectrogram_images import mel_levels, write_image

MAX_QUERIES, MAX_QUERY_LENGTH = 8, 300
_MAX_CHANNELS = 8
_MAX_SAMPLES_PER_SECOND = 2 * 48000  # in all channels together
_PLAYABLE = ("PCM_16", "PCM_24", "FLOAT")  # sample formats that every browser plays
_HIGH_RESOLUTION = ("PCM_32", "DOUBLE")
_BLOCK_SAMPLES = 1 << 18


class SeparationRunner:
    """Runs jobs with one separator; a :data:`~dplass_cli.server.job_queue.JobRunner`."""

    def __init__(self, separator: Separator) -> None:
        self._separator = separator

    @property
    def description(self) -> str:
        """The models that serve the queries, without paths."""
        adapters = len(self._separator.bank.keys)
        return f"{adapters} adapters, chosen by {self._separator.policy.name}" if adapters else "the base model alone"

    def check(self, info: AudioInfo, max_seconds: float) -> None:
        """Refuse recordings that would exhaust the machine: a few kilobytes of FLAC can be gigabytes of silence.

        Raises:
            InputError: too long, too many channels, or more samples than stereo at 48 kHz of the longest length.
        """
        if info.seconds > max_seconds:
            raise InputError(f"the recording: {info.seconds:.1f} s long, at most {max_seconds:g} s; send a part of it")
        if info.channels > _MAX_CHANNELS:
            raise InputError(f"the recording: {info.channels} channels, at most {_MAX_CHANNELS}; send fewer channels")
        samples, most = info.frames * info.channels / 1e6, max_seconds * _MAX_SAMPLES_PER_SECOND / 1e6
        if samples > most:
            raise InputError(
                f"the recording: {samples:.1f} million samples in all channels, at most {most:.1f} million; send it at"
                " a lower rate or with fewer channels"
            )

    def __call__(self, job: SeparationJob, report: ReportStep) -> tuple[Sound, ...]:
        """Run a job: the recording, one target per query, and the residual."""
        recording = job.folder / "recording.wav"
        assert job.info is not None
        _write_playable_wav(job.upload, recording, job.info, report)
        job.upload.unlink()
        report("separating", 0.0)
        written = self._separator.separate_file(
            recording,
            [understood(query) for query in job.queries],
            job.folder,
            residual=True,
            name="sound",
            progress=lambda done, total, what: report(what.partition(" ")[0], done / total),
        )
        sounds = [Sound("recording", "recording", recording, _image_path(recording))]
        for number, target in enumerate(written, 1):
            image = _image_path(target.path)
            if target.query == RESIDUAL:
                sounds.append(Sound("residual", "residual", target.path, image, clipped=target.clipped))
            else:
                sounds.append(
                    Sound(str(number), "target", target.path, image, target.query, target.adapter, target.clipped)
                )
        _draw_spectrograms(sounds, report)
        return tuple(sounds)


def check_queries(queries: Sequence[str]) -> tuple[str, ...]:
    """The distinct queries, without surrounding blanks.

    Raises:
        InputError: there are none or too many, or one is empty, too long, or the name of the residual.
    """
    distinct = tuple(dict.fromkeys(query.strip() for query in queries))
    if not distinct or "" in distinct:
        raise InputError("query: is empty; describe the sound, such as 'a dog barking'")
    if len(distinct) > MAX_QUERIES:
        raise InputError(f"query: {len(distinct)} queries, at most {MAX_QUERIES}; send several requests")
    if max(map(len, distinct)) > MAX_QUERY_LENGTH:
        raise InputError(f"query: more than {MAX_QUERY_LENGTH} characters; shorten it")
    if any("\0" in query for query in distinct):
        raise InputError("query: contains a null character; remove it")
    if RESIDUAL in distinct:
        raise InputError(f"query: {RESIDUAL!r} is the name of the residual; word the query differently")
    return distinct


def _write_playable_wav(source: Path, wav: Path, info: AudioInfo, report: ReportStep) -> None:
    """Decode a recording of any format to a wav in a sample format that browsers play."""
    subtype = info.subtype if info.subtype in _PLAYABLE else "FLOAT" if info.subtype in _HIGH_RESOLUTION else "PCM_16"
    done = 0
    with audio_writer(wav, info.sample_rate, info.channels, subtype, info.frames) as write:
        for block in read_blocks(source, even_blocks(info.frames, _BLOCK_SAMPLES)):
            report("reading", done / info.frames)
            write(block)
            done += block.shape[-1]


def _draw_spectrograms(sounds: Sequence[Sound], report: ReportStep) -> None:
    """Draw all spectrograms of a job on one level scale, the recording's, so that they can be compared."""
    info = audio_info(sounds[0].audio)
    top_db = None
    for done, sound in enumerate(sounds):
        levels = mel_levels(sound.audio, info, lambda done=done: report("drawing", done / len(sounds)))  # type: ignore[misc]
        top_db = float(levels.max()) if top_db is None else top_db
        write_image(levels, top_db, sound.picture)


def _image_path(wav: Path) -> Path:
    return wav.with_suffix(".png")
