"""An evaluation from start to end: check the items, run what is missing, score the conditions, write the results."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from dplass_cli.adapters.bank_folder import BankDomain
from dplass_cli.audio.reading import Audio
from dplass_cli.devices import in_bfloat16, process_device
from dplass_cli.errors import InputError, some
from dplass_cli.evaluation.aggregation import Known, score_conditions
from dplass_cli.evaluation.benchmarks import Benchmark
from dplass_cli.evaluation.conditions import Condition, default_name
from dplass_cli.evaluation.evaluator import (
    EvaluatorSettings,
    evaluate_batches,
    make_batches,
    plan_runs,
    separate_item,
)
from dplass_cli.evaluation.item_records import ItemRecords
from dplass_cli.evaluation.items import Item, audio_hashes, check_items, choose_items, find_items, load_item
from dplass_cli.evaluation.reference_results import ReferenceCheck, check_reference_results
from dplass_cli.evaluation.results_folder import FORMAT, RESULTS, TABLE, write_choices
from dplass_cli.evaluation.scores import Scores
from dplass_cli.evaluation.table import Table, policy_table
from dplass_cli.options.evaluate_options import EvaluateOptions
from dplass_cli.options.parse import to_mapping
from dplass_cli.separation.loading import Models
from dplass_cli.storage import Progress, file_sha256, no_progress, resolved, text_sha256, write_json, write_text
from dplass_cli.versions import versions

# Options that do not change the results, so that ``results.json`` leaves them out.
_NOT_MEASURED = ("output", "batch_size", "workers", "device", "backend", "report", "examples", "check_published")
_BATCH_ON_CPU, _BATCH_ELSEWHERE = 4, 16


@dataclass(frozen=True)
class Sounds:
    """An item, or a part of it, to listen to.

    Attributes:
        mixture: float32 (C, T).
        target: the reference, float32 (C, T).
        estimate: the separated target, float32 (C, T).
        sample_rate: Hz.
    """

    mixture: Audio
    target: Audio
    estimate: Audio
    sample_rate: int


class AnyEvaluation(Protocol):
    """What is evaluated: the items of a table, or songs.

    Attributes:
        options: as given.
        benchmark: its row of the table of benchmarks.
        items: those to evaluate.
        folder: the evaluation folder.
        precision: of the convolutions.
    """

    options: EvaluateOptions
    benchmark: Benchmark
    items: list[Item]
    folder: Path
    precision: str

    def listen(self, item: Item, run: str, models: Models, conditions: Sequence[Condition]) -> Sounds:
        """Separate an item again by what has the name ``run``, for a report."""


@dataclass(frozen=True)
class EvaluateResult:
    """Result of an evaluation; ``results.json`` holds the same.

    Attributes:
        run: what was evaluated.
        unusable: {item: why it was left out}.
        complete: every item is done, whichever process did it. Otherwise there are no scores yet.
        scores: of conditions, adapters, classes and domains.
        item_scores: {(item, run): score}.
        seconds: time of the forward passes, in all processes and resumed runs.
        checks: comparison with published results, where it was asked for.
        default: the condition that ``separate`` uses by default with these models; None if it requires a choice.
    """

    run: AnyEvaluation
    unusable: dict[str, str]
    complete: bool
    scores: Scores = field(default_factory=lambda: Scores({}, {}, {}, {}, {}, {}, []))
    item_scores: Known = field(default_factory=dict)
    seconds: float = 0.0
    checks: tuple[ReferenceCheck, ...] = ()
    default: str | None = None

    @property
    def benchmark(self) -> str:
        """The benchmark's name."""
        return self.run.benchmark.name

    @property
    def folder(self) -> Path:
        """The evaluation folder."""
        return self.run.folder

    @property
    def n(self) -> int:
        """How many items were asked for."""
        return len(self.run.items)

    @property
    def items(self) -> list[Item]:
        """The items that were evaluated."""
        return [item for item in self.run.items if item.idx not in self.unusable]


class EvaluationRun:
    """The evaluation of one benchmark. Its table and items are found and checked here, before models are loaded.

    Attributes:
        benchmark: its row of the table of benchmarks.
        table: its CSV file.
        items: those to evaluate.
        folder: the evaluation folder.
        settings: how to run.

    Raises:
        InputError: no such benchmark, table, audio folder or item, or an unusable table.
    """

    def __init__(self, name: str, options: EvaluateOptions) -> None:
        self.options = options
        self.benchmark, self.table, found = find_items(
            name, options.data_root, options.metadata_csv, options.audio_dir, options.query_column
        )
        self.items = choose_items(found, options.items, options.limit)
        self.folder = options.output / name if len(options.benchmark) > 1 else options.output
        device = process_device(options.device)
        self.precision = evaluation_precision(options)
        self.settings = EvaluatorSettings(
            seconds=self.benchmark.seconds,
            batch_size=options.batch_size or (_BATCH_ON_CPU if device.type == "cpu" else _BATCH_ELSEWHERE),
            workers=options.workers,
            bfloat16=in_bfloat16(options.precision, device),
            similarity=options.similarity,
            bss="bss" in options.metric,
        )

    def run(
        self,
        models: Models,
        conditions: Sequence[Condition],
        share: tuple[int, int] = (0, 1),
        progress: Progress = no_progress,
    ) -> EvaluateResult:
        """Evaluate the items; resumes what the folder holds already.

        ``share`` is the number of this process, and how many processes evaluate the benchmark together.

        Raises:
            InputError: too many items without usable audio, or the folder holds another evaluation.
            RunError: an output is not finite.
        """
        rank, world = share
        settings, rate = self.settings, models.network.config.sample_rate
        lengths, unusable = check_items(self.items, rate, settings.seconds, settings.workers, progress)
        self._check_missing(unusable)
        items = [item for item in self.items if item.idx in lengths]
        plan = plan_runs(items, conditions, models)
        wanted = {item.idx: tuple(plan[item.idx]) for item in items}

        def hashes(names: Collection[str]) -> dict[str, str]:
            return audio_hashes([item for item in items if item.idx in names], settings.seconds, settings.workers)

        with ItemRecords(self.folder, self.record_key(models), hashes, rank, world) as records:
            # Batches are cut from all items and then shared out: any number of processes computes the same bits.
            batches = make_batches(items, lengths, plan, settings.batch_size)[rank::world]
            evaluate_batches(batches, lengths, plan, models, records, settings, progress)
            complete = records.merge(wanted)
            known, failed = records.known, records.failed
        unusable |= failed
        if not complete:
            return EvaluateResult(self, unusable, complete=False)
        self._check_missing(unusable)
        items = [item for item in items if item.idx not in failed]
        scores = score_conditions(conditions, items, known, models, self.benchmark.aggregation)
        seconds = sum(known[item.idx, run].seconds or 0.0 for item in items for run in wanted[item.idx])
        checks = check_reference_results(self.benchmark, scores.policies) if self.options.check_published else []
        return EvaluateResult(self, unusable, True, scores, known, seconds, tuple(checks), default_name(models.bank))

    def _check_missing(self, unusable: Mapping[str, str]) -> None:
        most = self.options.max_missing
        if len(unusable) > most * len(self.items) or len(unusable) == len(self.items):
            raise InputError(
                f"{self.benchmark.name}: {len(unusable)} of {len(self.items)} items have no usable audio, more than"
                f" --max-missing {most} allows: {some(unusable.values(), 3)}"
            )

    def record_key(self, models: Models) -> str:
        """A hash of everything that a score in ``items.csv`` depends on besides its item and run."""
        options, settings = self.options, self.settings
        folders = [folder and resolved(folder) for folder in (options.audio_dir, options.data_root, self.table.parent)]
        parts = [
            self.benchmark.name,
            file_sha256(self.table),
            str(folders),
            str((options.query_column, settings.seconds, settings.bfloat16, settings.similarity, settings.bss)),
            *described_models(models),
        ]
        if self.precision == "int8":  # other precisions have the fingerprint of earlier versions
            parts.append(self.precision)
        return text_sha256("\n".join(parts))

    def listen(self, item: Item, run: str, models: Models, conditions: Sequence[Condition]) -> Sounds:
        """Separate an item again by what has the name ``run``, for a report."""
        rate = models.network.config.sample_rate
        loaded = load_item(item, rate, self.settings.seconds)
        planned = plan_runs([item], conditions, models)[item.idx][run]
        estimate = separate_item(item, loaded, planned, models, self.settings)
        return Sounds(loaded.mixture[None], loaded.reference[None], estimate[None], rate)

    def write(self, result: EvaluateResult, models: Models) -> None:
        """Write ``choices.csv``, ``results.md`` and ``results.json``."""
        write_results(result, models, {"table_sha256": file_sha256(self.table)})


def evaluation_precision(options: EvaluateOptions) -> str:
    """The precision of the convolutions on this process's device, as ``results.json`` names it."""
    if options.precision == "int8":
        return "int8"
    return "bf16-mixed" if in_bfloat16(options.precision, process_device(options.device)) else "32-true"


def described_models(models: Models) -> list[str]:
    """Everything about the models that scores depend on."""
    return [
        models.bank.base_sha256,
        models.encoder.fingerprint,
        *(f"{key}|{models.bank.fingerprint(key)}" for key in models.bank.keys),
        *(f"{key}|{_described(domain)}" for key, domain in models.bank.domains.items()),
    ]


def write_results(
    result: EvaluateResult, models: Models, more: Mapping[str, Any], tables: Sequence[Table] = ()
) -> None:
    """Write ``choices.csv``, ``results.md`` and, last, ``results.json``, which marks a finished evaluation.

    Args:
        result: of a complete evaluation.
        models: the evaluated models.
        more: further entries of ``results.json``.
        tables: of ``results.md``, above the one of the policies.
    """
    run = result.run
    benchmark, folder = run.benchmark, run.folder
    scores = to_mapping(result.scores)
    del scores["chosen"]  # is in choices.csv
    sha256 = {idx: score.sha256 for (idx, _), score in result.item_scores.items()}
    description = {
        "format": FORMAT,
        "benchmark": benchmark.name,
        "title": benchmark.title,
        "aggregation": benchmark.aggregation,
        "default": result.default,
        "items": result.n,
        "expected_rows": benchmark.rows,
        **scores,
        "published": to_mapping(benchmark.published),
        "unusable": result.unusable,
        "precision": run.precision,
        "audio_sha256": text_sha256("\n".join(f"{item.idx} {sha256[item.idx]}" for item in result.items)),
        **more,
        **models.hashes,
        "options": {name: v for name, v in to_mapping(run.options).items() if name not in _NOT_MEASURED},
        "versions": versions(),
        "timing": {"forward_seconds": round(result.seconds, 3)},  # nothing else differs between repetitions
    }
    title = f"{benchmark.title}, {benchmark.aggregation}, 95% bootstrap intervals"
    write_choices(folder, run.items, result.scores.chosen)
    policies = policy_table(title, result.scores.policies, benchmark, result.default)
    write_text(folder / TABLE, "\n".join(table.markdown() for table in (*tables, policies)))
    write_json(folder / RESULTS, description)


def _described(domain: BankDomain) -> str:
    """Everything that policies know of a domain."""
    centroids = [centroid.tolist() for centroid in (domain.text_centroid, domain.audio_centroid)]
    return f"{domain.name}|{domain.captions}|{domain.sdri_gain_db}|{centroids}"
