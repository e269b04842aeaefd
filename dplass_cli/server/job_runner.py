"""Running a separation job: decode the upload to a wav, separate it, and draw the spectrogram of each sound."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property, partial
from pathlib import Path

from dplass_cli.audio.reading import AudioInfo, audio_info, even_blocks, read_blocks
from dplass_cli.audio.writing import audio_writer
from dplass_cli.errors import InputError
from dplass_cli.options.tag_options import TAG_THRESHOLD
from dplass_cli.separation.output import RESIDUAL, Separated
from dplass_cli.separation.queries import Query, named
from dplass_cli.separation.separator import Separator
from dplass_cli.separation.wishes import understood, wish_of
from dplass_cli.server.job_queue import ReportStep, SeparationJob, Sound
from dplass_cli.server.spectrogram_images import mel_levels, write_image
from dplass_cli.server.suggestions import Suggestion, suggest
from dplass_cli.tagging.proposals import Proposer
from dplass_cli.tagging.tagger import Tag

MAX_QUERIES, MAX_QUERY_LENGTH = 8, 300
MAX_SENTENCES = 2 * MAX_QUERIES
"""The most sounds in all queries together: one query may remove several, and each is separated."""

QUERY_PARAMETERS = ("query", "remove")
"""The parameters of a request that ask for a sound: to separate it, or to remove it from the recording."""

_MAX_CHANNELS = 8
_MAX_SAMPLES_PER_SECOND = 2 * 48000  # in all channels together
_PLAYABLE = ("PCM_16", "PCM_24", "FLOAT")  # sample formats that every browser plays
_HIGH_RESOLUTION = ("PCM_32", "DOUBLE")
_BLOCK_SAMPLES = 1 << 18
_READING, _SEPARATING = 0.03, 0.92  # shares of a job's time on a CPU; drawing takes the rest


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

    @property
    def kinds(self) -> list[str]:
        """The sounds that the encoder knows, sorted; empty if any sentence will do."""
        return sorted(self._separator.encoder.kinds)

    def suggest(self, path: Path, info: AudioInfo) -> list[Suggestion]:
        """What a recording probably contains, the most similar first; InputError if it is damaged."""
        return suggest(path, info, self._separator.encoder)

    @property
    def finds_sounds(self) -> bool:
        """Whether the encoder can compare recordings with sounds."""
        return self._separator.encoder.embeds_audio

    def find_sounds(self, path: Path) -> tuple[Tag, ...]:
        """The sounds of a recording, the most probable first, as for ``separate --query auto``.

        Raises:
            InputError: the recording is damaged or too short, or the encoder cannot compare sounds.
        """
        return self._propose(path)

    @cached_property
    def _propose(self) -> Proposer:
        return Proposer(self._separator.encoder, TAG_THRESHOLD)

    def __call__(self, job: SeparationJob, report: ReportStep) -> tuple[Sound, ...]:
        """Run a job: the recording, a target per query, the sounds that queries remove, and the residual.

        There is no residual where all queries are removals, which are themselves what remains.
        """
        recording = job.folder / "recording.wav"
        assert job.info is not None
        _write_playable_wav(job.upload, recording, job.info, report)
        job.upload.unlink()
        # Removed sounds are targets too, so that their presence is known and a mix can contain them after all.
        removed = [Query(sound) for query in job.queries if query.is_removal for sound in query.sentences]
        asked = named([*job.queries, *removed])
        written = self._separator.separate_file(
            recording,
            list(asked.values()),
            job.folder,
            residual=not all(query.is_removal for query in job.queries),
            consistent=job.consistent,
            name="sound",
            progress=lambda done, total, what: report(
                what.partition(" ")[0], done / total, _READING + _SEPARATING * done / total
            ),
        )
        names = {query: str(number) for number, query in enumerate(job.queries, 1)}
        others = [query for query in asked.values() if query not in names]
        names |= {query: f"removed-{number}" for number, query in enumerate(others, 1)}
        reductions = {sound: decibels for query in job.queries for sound, decibels in query.reduce}
        sounds = [Sound("recording", "recording", recording, _image_path(recording))]
        for target in written:
            if target.query == RESIDUAL:
                sounds.append(
                    Sound("residual", "residual", target.path, _image_path(target.path), clipped=target.clipped)
                )
            else:
                query = asked[target.query]
                sounds.append(self._sound(query, target, names, reductions.get(query.text)))
        _draw_spectrograms(sounds, report)
        return tuple(sounds)

    def _sound(self, query: Query, target: Separated, names: dict[Query, str], reduce_db: float | None) -> Sound:
        removed = names[query].startswith("removed")
        notes = (self._separator.encoder.out_of_vocabulary(sentence) for sentence in query.sentences)
        wish = wish_of(query.said) if query.said else None
        return Sound(
            name=names[query],
            kind="removed" if removed else "target",
            audio=target.path,
            picture=_image_path(target.path),
            query=target.query,
            adapter=target.adapter,
            clipped=target.clipped,
            presence=target.presence,
            understood=wish.meaning if wish else None,
            unknown=tuple(note for note in notes if note is not None),
            removes=tuple(names[Query(sound)] for sound in query.sentences) if query.is_removal else (),
            reduce_db=reduce_db if removed else None,
        )


def parse_queries(parameters: Iterable[tuple[str, str]]) -> tuple[Query, ...]:
    """The distinct queries of a request, from (:data:`QUERY_PARAMETERS`, text) pairs.

    Raises:
        InputError: there are none or too many, or one is empty, too long, or the name of the residual.
    """
    given = dict.fromkeys((parameter, text.strip()) for parameter, text in parameters)
    texts = [text for _, text in given]
    if not given or "" in texts:
        raise InputError("query: is empty; describe the sound, such as 'a dog barking'")
    if len(given) > MAX_QUERIES:
        raise InputError(f"query: {len(given)} queries, at most {MAX_QUERIES}; send several requests")
    if max(map(len, texts)) > MAX_QUERY_LENGTH:
        raise InputError(f"query: more than {MAX_QUERY_LENGTH} characters; shorten it")
    if any("\0" in text for text in texts):
        raise InputError("query: contains a null character; remove it")
    queries = tuple(dict.fromkeys(_removal(text) if name == "remove" else understood(text) for name, text in given))
    for query in queries:
        query.check()
    sentences = [sentence for query in queries for sentence in query.sentences]
    if len(sentences) > MAX_SENTENCES:
        raise InputError(f"query: {len(sentences)} sounds in all, at most {MAX_SENTENCES}; send several requests")
    if RESIDUAL in sentences:
        raise InputError(f"query: {RESIDUAL!r} is the name of the residual; word the query differently")
    return queries


def _removal(text: str) -> Query:
    """The recording without what a text describes; a text that says itself what is meant is taken at its word."""
    if wish_of(text) is not None:
        return understood(text)
    query = understood(f"remove {text}")
    return Query(without=query.without) if query.without else Query(without=(text,))


def _write_playable_wav(source: Path, wav: Path, info: AudioInfo, report: ReportStep) -> None:
    """Decode a recording of any format to a wav in a sample format that browsers play."""
    subtype = info.subtype if info.subtype in _PLAYABLE else "FLOAT" if info.subtype in _HIGH_RESOLUTION else "PCM_16"
    done = 0
    with audio_writer(wav, info.sample_rate, info.channels, subtype, info.frames) as write:
        for block in read_blocks(source, even_blocks(info.frames, _BLOCK_SAMPLES)):
            report("reading", done / info.frames, _READING * done / info.frames)
            write(block)
            done += block.shape[-1]


def _draw_spectrograms(sounds: Sequence[Sound], report: ReportStep) -> None:
    """Draw all spectrograms of a job on one level scale, the recording's, so that they can be compared."""
    info = audio_info(sounds[0].audio)
    top_db = None
    for done, sound in enumerate(sounds):
        fraction = done / len(sounds)
        progress = _READING + _SEPARATING + (1.0 - _READING - _SEPARATING) * fraction
        levels = mel_levels(sound.audio, info, partial(report, "drawing", fraction, progress))
        top_db = float(levels.max()) if top_db is None else top_db
        write_image(levels, top_db, sound.picture)


def _image_path(wav: Path) -> Path:
    return wav.with_suffix(".png")
