"""An evaluation of whole songs from start to end: separate what is missing, score the conditions, write the results."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dplass_cli.errors import InputError
from dplass_cli.evaluation.aggregation import score_fixed_runs
from dplass_cli.evaluation.benchmarks import find_benchmark
from dplass_cli.evaluation.conditions import BASE, Condition, default_name, make_conditions
from dplass_cli.evaluation.evaluation_run import (
    EvaluateResult,
    Sounds,
    described_models,
    evaluation_precision,
    write_results,
)
from dplass_cli.evaluation.item_records import ItemRecords
from dplass_cli.evaluation.items import Item, audio_hashes
from dplass_cli.evaluation.results_folder import evaluated_benchmark
from dplass_cli.evaluation.scores import PolicyScore, SongScore
from dplass_cli.evaluation.songs import (
    SOURCES,
    Song,
    find_songs,
    load_song,
    require_museval,
    score_song,
    songs_frame,
    songs_table,
    summarise,
)
from dplass_cli.evaluation.table import Table
from dplass_cli.options.evaluate_options import SONGS, EvaluateOptions
from dplass_cli.separation.loading import Models
from dplass_cli.separation.policies import default_selection
from dplass_cli.separation.separator import Separator
from dplass_cli.separation.windows import CORE_SECONDS
from dplass_cli.storage import Progress, no_progress, resolved, text_sha256, write_text

SCORES = "songs.csv"
"""A row per song, policy and source that is not silent."""

_EXCERPT_SECONDS = 10.0


@dataclass(frozen=True)
class SongsResult:
    """Result of the evaluation of songs.

    Attributes:
        benchmark: ``musdb18``.
        folder: the evaluation folder.
        songs: number of songs.
        scores: one mapping per policy and source (:func:`~dplass_cli.evaluation.songs.summarise`); dB.
        complete: every song is done, whichever process did it. Otherwise there are no scores yet.
        default: the condition that ``separate`` uses by default with these models; None if it requires a choice.
        policies: {condition: its score over all sources}.
    """

    benchmark: str
    folder: Path
    songs: int
    scores: list[dict[str, Any]]
    complete: bool = True
    default: str | None = None
    policies: dict[str, PolicyScore] = field(default_factory=dict)

    @property
    def table(self) -> Table:
        """The scores of each policy and source."""
        return songs_table(self.scores)


class SongsRun:
    """The evaluation of MUSDB18's test songs. They are found and checked here, before models are loaded.

    Attributes:
        options: as given.
        benchmark: its row of the table of benchmarks.
        songs: those to evaluate.
        items: a song's source each.
        folder: the evaluation folder.
        precision: of the convolutions.

    Raises:
        InputError: wrong options, no songs, a stem is missing, or museval is not installed.
    """

    def __init__(self, options: EvaluateOptions, progress: Progress = no_progress) -> None:
        self.options, self.folder = options, options.output
        self._museval = "museval" in options.metric
        if self._museval:
            require_museval()
        if options.data_root is None:
            raise InputError(f"--benchmark {SONGS}: give the folder that contains test as --data-root")
        if evaluated_benchmark(self.folder) not in (None, SONGS):
            raise InputError(f"{self.folder}: contains the evaluation of another benchmark; give another --output")
        self.benchmark = find_benchmark(SONGS)
        self.songs = find_songs(options.data_root, "test", self.folder / "stems", progress)[: options.limit]
        self.items = [item for song in self.songs for item in song.items]
        self.precision = evaluation_precision(options)

    def conditions(self, models: Models) -> list[Condition]:
        """Those that were asked for; otherwise the base and, with adapters, what ``separate`` would use.

        Raises:
            InputError: an unknown policy, one that lacks what it requires, or one that needs the reference.
        """
        select = self.options.select
        if select is None:
            default = [default_selection(self.options.model.base, models.bank).name] if models.bank.keys else []
            select = (BASE, *default)
        conditions = make_conditions(select, models.bank, models.encoder.embeds_audio, self.options.refine)
        for condition in conditions:
            if condition.bound:
                raise InputError(f"--select {condition.name}: is not available for --benchmark {SONGS}; leave it out")
            self._separator(models, condition).check(SOURCES)
        return conditions

    def run(
        self,
        models: Models,
        conditions: Sequence[Condition],
        share: tuple[int, int] = (0, 1),
        progress: Progress = no_progress,
    ) -> EvaluateResult:
        """Evaluate the songs; resumes what the folder holds already.

        ``share`` is the number of this process, and how many processes evaluate the songs together.

        Raises:
            InputError: a song cannot be used, or the folder holds another evaluation.
            RunError: an output contains NaN or infinity.
        """
        rank, world = share
        names = [condition.name for condition in conditions]

        def hashes(items: Collection[str]) -> dict[str, str]:
            return audio_hashes([item for item in self.items if item.idx in items], None, self.options.workers)

        with ItemRecords(self.folder, self._record_key(models), hashes, rank, world, SongScore) as records:
            own = self.songs[rank::world]
            for number, song in enumerate(own):
                progress(number, len(own), song.name)
                missing = [
                    condition
                    for condition in conditions
                    if any((item.idx, condition.name) not in records.known for item in song.items)
                ]
                self._evaluate(song, missing, models, records)
            progress(len(own), len(own), "songs")
            complete = records.merge({item.idx: names for item in self.items})
            known = records.known
        if not complete:
            return EvaluateResult(self, {}, complete=False)
        scores = score_fixed_runs(conditions, self.items, known, self.benchmark.aggregation)
        seconds = sum(known[item.idx, name].seconds or 0.0 for item in self.items for name in names)
        return EvaluateResult(self, {}, True, scores, known, seconds, (), default_name(models.bank))

    def _evaluate(self, song: Song, conditions: Sequence[Condition], models: Models, records: ItemRecords) -> None:
        if not conditions:
            return
        loaded = load_song(song)
        for condition in conditions:
            began = time.perf_counter()
            estimates = self._separator(models, condition)(loaded.mixture, loaded.sample_rate, SOURCES)
            seconds = time.perf_counter() - began
            records.append(score_song(loaded, estimates, condition.name, self._museval, seconds))

    def _separator(self, models: Models, condition: Condition) -> Separator:
        return Separator(
            models.bank,
            models.encoder,
            condition.policy,
            precision=self.options.model.precision,
            refine="residual" if condition.refine else "none",
            window=CORE_SECONDS,  # does not depend on the machine: an evaluation may resume on another
        )

    def _record_key(self, models: Models) -> str:
        """A hash of everything that a score in ``items.csv`` depends on besides its item and run."""
        assert self.options.data_root is not None
        parts = [SONGS, str(resolved(self.options.data_root)), self.precision, str(self._museval)]
        return text_sha256("\n".join([*parts, *described_models(models)]))

    def result(self, result: EvaluateResult) -> SongsResult:
        """The scores by source of what :meth:`run` returned."""
        if not result.complete:
            return SongsResult(SONGS, self.folder, len(self.songs), [], complete=False)
        rows = json.loads(summarise(songs_frame(self._scores(result))).to_json(orient="records"))
        policies = result.scores.policies
        return SongsResult(SONGS, self.folder, len(self.songs), rows, True, result.default, policies)

    def _scores(self, result: EvaluateResult) -> list[SongScore]:
        """In the order of the songs, policies and sources."""
        keys = [(item.idx, name) for song in self.songs for name in result.scores.policies for item in song.items]
        return [score for score in map(result.item_scores.__getitem__, keys) if isinstance(score, SongScore)]

    def write(self, result: EvaluateResult, models: Models) -> SongsResult:
        """Write ``songs.csv``, ``choices.csv``, ``results.md`` and ``results.json`` of a complete evaluation."""
        summary = self.result(result)
        write_text(self.folder / SCORES, songs_frame(self._scores(result)).to_csv(index=False))
        more = {"folder": str(self.folder), "songs": summary.songs, "scores": summary.scores}
        write_results(result, models, more, [summary.table])
        return summary

    def listen(self, item: Item, run: str, models: Models, conditions: Sequence[Condition]) -> Sounds:
        """Separate the part of a song where a source is loudest, for a report."""
        song = load_song(next(song for song in self.songs if item in song.items))
        stem, rate = song.stems[item.query], song.sample_rate
        length = min(stem.shape[1], round(_EXCERPT_SECONDS * rate))
        energy = np.concatenate([[0.0], np.cumsum(np.square(stem, dtype=np.float64).sum(axis=0))])
        start = int(np.argmax(energy[length:] - energy[:-length]))
        part = slice(start, start + length)
        mixture = np.ascontiguousarray(song.mixture[:, part])
        condition = next(condition for condition in conditions if condition.name == run)
        estimate = self._separator(models, condition)(mixture, rate, SOURCES)[item.query]
        return Sounds(mixture, stem[:, part], estimate, rate)
