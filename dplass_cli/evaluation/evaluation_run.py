"""An evaluation from start to end: check the items, run what is missing, score the conditions, write the results."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dplass_cli.adapters.bank_folder import BankDomain
from dplass_cli.errors import InputError, some
from dplass_cli.evaluation.aggregation import Known, score_conditions
from dplass_cli.evaluation.benchmarks import Benchmark
from dplass_cli.evaluation.conditions import Condition
from dplass_cli.evaluation.evaluator import EvaluatorSettings, evaluate_batches, make_batches, plan_runs
from dplass_cli.evaluation.item_records import ItemRecords
from dplass_cli.evaluation.items import Item, audio_hashes, check_items, choose_items, find_items
from dplass_cli.evaluation.reference_results import ReferenceCheck, check_reference_results
from dplass_cli.evaluation.results_folder import FORMAT, RESULTS, TABLE, write_choices
from dplass_cli.evaluation.scores import Scores
from dplass_cli.evaluation.table import policy_table
from dplass_cli.options.parse import to_mapping
from dplass_cli.separation.loading import Models
from dplass_cli.storage import Progress, file_sha256, no_progress, text_sha256, write_json, write_text
from dplass_cli.versions import versions


@dataclass(frozen=True)
class Task:
    """The items of a benchmark to evaluate, and where the results go.

    Attributes:
        benchmark: its row of the table of benchmarks.
        folder: the evaluation folder.
        table: the benchmark's CSV file.
        items: those to evaluate.
        audio_dir: the audio folder that was given.
        data_root: the data root that was given.
        query_column: the column of queries that was given.
    """

    benchmark: Benchmark
    folder: Path
    table: Path
    items: tuple[Item, ...]
    audio_dir: Path | None = None
    data_root: Path | None = None
    query_column: str | None = None


def find_task(
    name: str,
    folder: Path,
    data_root: Path | None = None,
    metadata_csv: Path | None = None,
    audio_dir: Path | None = None,
    query_column: str | None = None,
    items: Sequence[str] | None = None,
    limit: int | None = None,
) -> Task:
    """Find a benchmark's table and audio, and choose its items.

    Args:
        name: of the benchmark.
        folder: the evaluation folder.
        data_root: folder of the published folders.
        metadata_csv: the table, or a folder that holds it.
        audio_dir: the audio; default: below the data root, else next to the table.
        query_column: the column of the queries; default: the benchmark's.
        items: names of the items to evaluate; default: all.
        limit: the most items to evaluate; default: all.

    Raises:
        InputError: no such benchmark, table, audio folder or item, or an unusable table.
    """
    benchmark, table, found = find_items(name, data_root, metadata_csv, audio_dir, query_column)
    chosen = tuple(choose_items(found, items, limit))
    return Task(benchmark, folder, table, chosen, audio_dir, data_root, query_column)


@dataclass(frozen=True)
class EvaluateResult:
    """Result of :func:`run_task`; ``results.json`` holds the same.

    Attributes:
        task: what was evaluated.
        unusable: {item: why it was left out}.
        complete: every item is done, whichever process did it. Otherwise there are no scores yet.
        scores: of conditions, adapters, classes and domains.
        item_scores: {(item, run): score}.
        seconds: time of the forward passes, in all processes and resumed runs.
        checks: comparison with published results, where it was asked for.
    """

    task: Task
    unusable: dict[str, str]
    complete: bool
    scores: Scores = field(default_factory=lambda: Scores({}, {}, {}, {}, {}, {}, []))
    item_scores: Known = field(default_factory=dict)
    seconds: float = 0.0
    checks: tuple[ReferenceCheck, ...] = ()

    @property
    def benchmark(self) -> str:
        """The benchmark's name."""
        return self.task.benchmark.name

    @property
    def folder(self) -> Path:
        """The evaluation folder."""
        return self.task.folder

    @property
    def n(self) -> int:
        """How many items were asked for."""
        return len(self.task.items)

    @property
    def items(self) -> list[Item]:
        """The items that were evaluated."""
        return [item for item in self.task.items if item.idx not in self.unusable]


def run_task(
    task: Task,
    models: Models,
    conditions: Sequence[Condition],
    settings: EvaluatorSettings,
    max_missing: float = 0.0,
    check_published: bool = False,
    share: tuple[int, int] = (0, 1),
    progress: Progress = no_progress,
) -> EvaluateResult:
    """Evaluate a task's items; resumes what the folder holds already.

    Args:
        task: what to evaluate.
        models: base, encoder and adapters.
        conditions: what to compare.
        settings: how to run.
        max_missing: share of items without usable audio above which nothing is evaluated.
        check_published: compare with the benchmark's published results.
        share: number of this process, and how many processes evaluate the task together.
        progress: is called for each batch.

    Raises:
        InputError: too many items without usable audio, or the folder holds another evaluation.
        RunError: an output is not finite.
    """
    rank, world = share
    sample_rate = models.network.config.sample_rate
    lengths, unusable = check_items(task.items, sample_rate, settings.seconds, settings.workers, progress)
    _check_missing(unusable, task, max_missing)
    items = [item for item in task.items if item.idx in lengths]
    plan = plan_runs(items, conditions, models)
    wanted = {item.idx: tuple(plan[item.idx]) for item in items}

    def hashes(names: Collection[str]) -> dict[str, str]:
        return audio_hashes([item for item in items if item.idx in names], settings.seconds, settings.workers)

    with ItemRecords(task.folder, record_key(task, models, settings), hashes, rank, world) as records:
        # Batches are cut from all items and then shared out, so that any number of processes computes the same bits.
        batches = make_batches(items, lengths, plan, settings.batch_size)[rank::world]
        evaluate_batches(batches, lengths, plan, models, records, settings, progress)
        complete = records.merge(wanted)
        known, failed = records.known, records.failed
    unusable |= failed
    if not complete:
        return EvaluateResult(task, unusable, complete=False)
    _check_missing(unusable, task, max_missing)
    items = [item for item in items if item.idx not in failed]
    scores = score_conditions(conditions, items, known, models, task.benchmark.aggregation)
    seconds = sum(known[item.idx, run].seconds or 0.0 for item in items for run in wanted[item.idx])
    checks = check_reference_results(task.benchmark, scores.policies) if check_published else []
    return EvaluateResult(task, unusable, True, scores, known, seconds, tuple(checks))


def _check_missing(unusable: Mapping[str, str], task: Task, most: float) -> None:
    if len(unusable) > most * len(task.items) or len(unusable) == len(task.items):
        raise InputError(
            f"{task.benchmark.name}: {len(unusable)} of {len(task.items)} items have no usable audio, more than"
            f" --max-missing {most} allows: {some(unusable.values(), 3)}"
        )


def record_key(task: Task, models: Models, settings: EvaluatorSettings) -> str:
    """A hash of everything that a score in ``items.csv`` depends on besides its item and run."""
    folders = [folder and folder.resolve() for folder in (task.audio_dir, task.data_root, task.table.parent)]
    parts = [
        task.benchmark.name,
        file_sha256(task.table),
        str(folders),
        str((task.query_column, settings.seconds, settings.bfloat16, settings.similarity, settings.bss)),
        models.bank.base_sha256,
        models.encoder.fingerprint,
        *(f"{key}|{models.bank.fingerprint(key)}" for key in models.bank.keys),
        *(f"{key}|{_described(domain)}" for key, domain in models.bank.domains.items()),
    ]
    return text_sha256("\n".join(parts))


def _described(domain: BankDomain) -> str:
    """Everything that policies know of a domain."""
    centroids = [centroid.tolist() for centroid in (domain.text_centroid, domain.audio_centroid)]
    return f"{domain.name}|{domain.captions}|{domain.sdri_gain_db}|{centroids}"


def write_results(
    result: EvaluateResult, models: Models, settings: EvaluatorSettings, options: Mapping[str, Any]
) -> None:
    """Write ``choices.csv``, ``results.md`` and, last, ``results.json``, which marks a finished evaluation.

    Args:
        result: a complete result.
        models: base, encoder and adapters that were evaluated.
        settings: how they ran.
        options: the options that the results depend on.
    """
    benchmark, folder = result.task.benchmark, result.folder
    scores = to_mapping(result.scores)
    del scores["chosen"]  # is in choices.csv
    sha256 = {idx: score.sha256 for (idx, _), score in result.item_scores.items()}
    description = {
        "format": FORMAT,
        "benchmark": benchmark.name,
        "title": benchmark.title,
        "aggregation": benchmark.aggregation,
        "items": result.n,
        "expected_rows": benchmark.rows,
        **scores,
        "published": to_mapping(benchmark.published),
        "unusable": result.unusable,
        "precision": "bf16-mixed" if settings.bfloat16 else "32-true",
        "table_sha256": file_sha256(result.task.table),
        "audio_sha256": text_sha256("\n".join(f"{item.idx} {sha256[item.idx]}" for item in result.items)),
        "base_sha256": models.bank.base_sha256,
        "encoder_fingerprint": models.encoder.fingerprint,
        "adapters_sha256": {key: models.bank.fingerprint(key) for key in models.bank.keys},
        "options": dict(options),
        "versions": versions(),
        "timing": {"forward_seconds": round(result.seconds, 3)},  # nothing else differs between repetitions
    }
    title = f"{benchmark.title}, {benchmark.aggregation}, 95% bootstrap intervals"
    write_choices(folder, result.task.items, result.scores.chosen)
    write_text(folder / TABLE, policy_table(title, result.scores.policies, benchmark).markdown())
    write_json(folder / RESULTS, description)
