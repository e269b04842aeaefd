"""``evaluate``: every adapter on every item of a benchmark, and what each selection policy makes of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from dplass_cli.adapters import METHODS
from dplass_cli.devices import in_bfloat16, process_device, process_share
from dplass_cli.errors import InputError, some
from dplass_cli.evaluation.benchmarks import Benchmark
from dplass_cli.evaluation.evaluator import Running, Runs, evaluate_batches, make_batches, plan_runs, separate_item
from dplass_cli.evaluation.item_records import FORMAT, RESULTS, ProcessShare, Row, Rows, number, write_choices
from dplass_cli.evaluation.items import Item, audio_hashes, check_items, choose_items, find_items, load_item
from dplass_cli.evaluation.reference_results import ReferenceCheck, check_reference_results
from dplass_cli.evaluation.scores import Scores, score_policies
from dplass_cli.options.parse import to_mapping
from dplass_cli.pipelines.models import RunningOptions
from dplass_cli.reports.evaluation_report import Evaluated, Example, write_report
from dplass_cli.reports.markdown import markdown_table, with_interval
from dplass_cli.separation.bank import BankDomain
from dplass_cli.separation.loading import Models
from dplass_cli.separation.policies import POLICIES, Policy, make_policy
from dplass_cli.storage import Progress, file_sha256, no_progress, text_sha256, write_json, write_text
from dplass_cli.versions import versions

TABLE, REPORT = "results.md", "report.html"
_NOT_MEASURED = ("output", "batch_size", "workers", "device", "backend", "report", "examples", "check_published")
_WITHOUT_DOMAINS = ("audio", "contrast", "oracle")
_BATCH_ON_CPU, _BATCH_ELSEWHERE = 4, 16


@dataclass(frozen=True)
class EvaluateOptions(RunningOptions):
    """Options of ``evaluate``; the models as :class:`~dplass_cli.pipelines.models.RunningOptions`.

    Attributes:
        output: folder of ``results.json``, ``results.md``, ``report.html``, ``items.csv`` and ``choices.csv``, of each
            benchmark in a folder of its own where there are several; an interrupted run goes on in it.
        benchmark: rows of the table of benchmarks.
        metadata_csv: the benchmark's table, or the folder of the tables.
        audio_dir: where the one benchmark's audio lies; default beside the table, or below ``data_root``.
        data_root: the folder of ``AudioCaps_evaluation``, ``AudioSet_evaluation`` …
        query_column: another column of queries (AudioCaps: ``labels``).
        select: the policies to report; default all of the table that the adapters serve.
        limit: only the first so many items. items: only the items of these names.
        max_missing: the share of items without usable audio above which nothing is evaluated.
        batch_size: items a forward; default 4 on a CPU, 16 elsewhere.
        workers: threads that read ahead.
        similarity: embed the outputs; ``audio`` needs it. metric: more of them: ``bss``, BSS Eval's SDR.
        check_published: compare with the published figures of the benchmarks.
        report: write ``report.html``, with ``examples`` worst and as many best items to listen to.
    """

    output: Path
    benchmark: tuple[str, ...] = ("custom",)
    metadata_csv: Path | None = None
    audio_dir: Path | None = None
    data_root: Path | None = None
    query_column: str | None = None
    select: tuple[str, ...] | None = None
    limit: int | None = None
    items: tuple[str, ...] | None = None
    max_missing: float = 0.05
    batch_size: int | None = None
    workers: int = 4
    similarity: bool = True
    metric: tuple[Literal["bss"], ...] = ()
    report: bool = True
    examples: int = 4
    check_published: bool = False

    def __post_init__(self) -> None:
        for name in ("batch_size", "limit", "workers"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        if not 0 <= self.max_missing <= 1:
            raise ValueError(f"max_missing must be a share between 0 and 1, not {self.max_missing}")
        if len(self.benchmark) > 1 and (self.audio_dir or self.items):
            raise ValueError("audio_dir and items go with one benchmark; give --data-root for several")
        if len(self.benchmark) > 1 and self.metadata_csv and not self.metadata_csv.is_dir():
            raise ValueError(
                "a table goes with one benchmark; give --metadata-csv the folder of the tables for several"
            )


@dataclass(frozen=True)
class EvaluateResult:
    """What was measured on one benchmark; the same is in ``results.json``.

    Attributes:
        scores: of policies, adapters, classes. n: items that were asked for.
        unusable: {item: why} of those left out.
        complete: every item is done, by whatever process; where False, ``scores`` is empty and nothing is written.
        seconds: what the rows took to compute, in all processes and runs.
        checks: published figures beside the measured ones, where that was asked for.
    """

    benchmark: str
    folder: Path
    n: int
    unusable: dict[str, str]
    complete: bool
    scores: Scores = field(default_factory=lambda: Scores({}, {}, {}, {}, {}, {}, []))
    seconds: float = 0.0
    checks: tuple[ReferenceCheck, ...] = ()


@dataclass(frozen=True)
class _Task:
    """One benchmark of a run: its row of the table, its items and where its results go."""

    name: str
    benchmark: Benchmark
    table: Path
    items: tuple[Item, ...]
    folder: Path


def evaluate(options: EvaluateOptions, progress: Progress = no_progress) -> dict[str, EvaluateResult]:
    """Evaluate benchmarks one after the other: {benchmark: result}. Under ``torchrun`` each process does its share.

    Raises:
        InputError: wrong options, table, audio or models; too many items without usable audio.
    """
    tasks = [_task(name, options) for name in options.benchmark]
    device = process_device(options.device)
    models = options.load_models(
        options.adapters,
        device,
        keep=device.type != "cpu",  # beside the forwards of a CPU, reading an adapter again takes no time
        backend=options.backend,
        warmup_macs=0.0,  # so that a resumed run computes the same bits
    )
    policies = _policies(options, models)
    plan_runs(tasks[0].items[:1], policies, models)  # what a policy lacks is told before files are looked at
    names = {policy.name for policy in policies}
    if options.check_published and not any(f.policy in names for task in tasks for f in task.benchmark.published):
        raise InputError("--check-published: nothing is published for these benchmarks and policies; select base")
    share = ProcessShare(*process_share())
    return {task.name: _evaluate(task, options, models, policies, share, progress) for task in tasks}


def summary(result: EvaluateResult) -> dict[str, Any]:
    """A result without what is only of use item by item."""
    scores = to_mapping(result.scores)
    del scores["chosen"]
    return {
        "benchmark": result.benchmark,
        "folder": str(result.folder),
        "items": result.n,
        "unusable": result.unusable,
        "complete": result.complete,
        **scores,
        **({"published": to_mapping(result.checks)} if result.checks else {}),
    }


def _task(name: str, options: EvaluateOptions) -> _Task:
    benchmark, table, found = find_items(
        name, options.data_root, options.metadata_csv, options.audio_dir, options.query_column
    )
    items = choose_items(found, options.items, options.limit)
    folder = options.output if len(options.benchmark) == 1 else options.output / name
    return _Task(name, benchmark, table, tuple(items), folder)


def _policies(options: EvaluateOptions, models: Models) -> list[Policy]:
    if options.select is None:
        return _all_policies(options, models)
    policies = [make_policy(name) for name in dict.fromkeys(options.select)]
    for policy in policies:
        if policy.uses_outputs and not models.bank.keys:
            raise InputError(f"--select {policy.name}: needs adapters; give --adapters BANK, or --select base alone")
        if _listens(policy) and not options.similarity:
            raise InputError(f"--select {policy.name}: listens to outputs; leave --no-similarity out")
    return policies


def _all_policies(options: EvaluateOptions, models: Models) -> list[Policy]:
    """Every policy of the table that the loaded adapters serve."""
    names = list(POLICIES)
    if not models.bank.domains:
        names = ["base", *_WITHOUT_DOMAINS] if models.bank.keys else ["base"]
    elif not all(METHODS[info.method].linear for info in models.bank.infos.values()):
        names.remove("blend")
    policies = [make_policy(name) for name in names]
    return [policy for policy in policies if options.similarity or not _listens(policy)]


def _listens(policy: Policy) -> bool:
    """Whether it goes by the similarity of outputs to the query."""
    return policy.uses_outputs and not policy.uses_reference


def _evaluate(
    task: _Task,
    options: EvaluateOptions,
    models: Models,
    policies: Sequence[Policy],
    share: ProcessShare,
    progress: Progress,
) -> EvaluateResult:
    settings = _running(task.benchmark, options, next(models.network.parameters()).device)
    rate = models.network.config.sample_rate
    lengths, unusable = check_items(task.items, rate, settings.seconds, options.workers, progress)
    _check_missing(unusable, task, options.max_missing)
    items = [item for item in task.items if item.idx in lengths]
    plan = plan_runs(items, policies, models)
    wanted = {item.idx: tuple(plan[item.idx]) for item in items}

    def hashes(names: Collection[str]) -> dict[str, str]:
        return audio_hashes([item for item in items if item.idx in names], settings.seconds, settings.workers)

    with Rows(task.folder, _key(task, models, options, settings), share, hashes) as rows:
        batches = make_batches(items, lengths, plan, settings.batch_size)
        evaluate_batches(batches, lengths, plan, models, rows, settings, progress)
        complete = rows.merge(wanted)
        known, failed = rows.known, dict(rows.failed)
    unusable |= failed
    if not complete:
        return EvaluateResult(task.name, task.folder, len(task.items), unusable, False)
    _check_missing(unusable, task, options.max_missing)
    items = [item for item in items if item.idx not in failed]
    scores = score_policies(policies, items, known, models, task.benchmark.aggregation)
    seconds = sum(
        float(known[idx, run]["seconds"]) for idx, runs in wanted.items() if idx not in failed for run in runs
    )
    checks = check_reference_results(task.name, task.benchmark, scores.policies) if options.check_published else []
    result = EvaluateResult(task.name, task.folder, len(task.items), unusable, True, scores, seconds, tuple(checks))
    if options.report:
        write_report(task.folder / REPORT, _evaluated(task, options, models, settings, result, items, known, plan))
    _write(result, task, models, options, settings, [known[item.idx, next(iter(plan[item.idx]))] for item in items])
    return result


def _evaluated(
    task: _Task,
    options: EvaluateOptions,
    models: Models,
    settings: Running,
    result: EvaluateResult,
    items: Sequence[Item],
    known: Mapping[tuple[str, str], Row],
    plan: Mapping[str, Runs],
) -> Evaluated:
    """What the report is of; the worst and the best items under its first policy of choice are separated again."""
    scores = result.scores
    policies = list(scores.policies)
    shown = next((name for name in policies if name != "base" and not scores.policies[name].bound), policies[0])
    audible = [item for item in items if item.idx not in set(scores.silent)]
    sdri = {item.idx: number(known[item.idx, scores.chosen[shown][item.idx]], "sdri") for item in audible}
    ranked = sorted(audible, key=lambda item: sdri[item.idx])
    half = min(options.examples, len(ranked) // 2)

    def example(item: Item) -> Example:
        rate = models.network.config.sample_rate
        loaded, run = load_item(item, rate, settings.seconds), scores.chosen[shown][item.idx]
        estimate = separate_item(item, loaded, plan[item.idx][run], models, settings)
        return Example(item, run, sdri[item.idx], loaded.mixture, loaded.reference, estimate)

    return Evaluated(
        task.benchmark,
        scores,
        items,
        result.unusable,
        known,
        {key: f"{domain.id} {domain.name}" for key, domain in models.bank.domains.items()},
        shown,
        [example(item) for item in ranked[:half]],
        [example(item) for item in ranked[len(ranked) - half :][::-1]],
        models.network.config.sample_rate,
    )


def _running(benchmark: Benchmark, options: EvaluateOptions, device: torch.device) -> Running:
    bfloat16 = in_bfloat16(options.precision, device)
    size = options.batch_size or (_BATCH_ON_CPU if device.type == "cpu" else _BATCH_ELSEWHERE)
    return Running(benchmark.seconds, size, options.workers, bfloat16, options.similarity, "bss" in options.metric)


def _check_missing(unusable: Mapping[str, str], task: _Task, most: float) -> None:
    if len(unusable) > most * len(task.items) or len(unusable) == len(task.items):
        raise InputError(
            f"{task.name}: {len(unusable)} of {len(task.items)} items have no usable audio, more than --max-missing"
            f" {most} allows: {some(unusable.values(), 3)}"
        )


def _key(task: _Task, models: Models, options: EvaluateOptions, settings: Running) -> str:
    """What a row of ``items.csv`` depends on besides its item and run."""
    parts = [
        task.name,
        file_sha256(task.table),
        str([folder and folder.resolve() for folder in (options.audio_dir, options.data_root, task.table.parent)]),
        str((options.query_column, settings.seconds, settings.bfloat16, settings.similarity, settings.bss)),
        models.bank.base_sha256,
        models.encoder.fingerprint,
        *(f"{key}|{models.bank.fingerprint(key)}" for key in models.bank.keys),
        *(f"{key}|{_described(domain)}" for key, domain in models.bank.domains.items()),
    ]
    return text_sha256("\n".join(parts))


def _described(domain: BankDomain) -> str:
    """All that policies know of a domain."""
    centroids = [centroid.tolist() for centroid in (domain.text_centroid, domain.audio_centroid)]
    return f"{domain.name}|{domain.captions}|{domain.gain_db}|{centroids}"


def _write(
    result: EvaluateResult,
    task: _Task,
    models: Models,
    options: EvaluateOptions,
    settings: Running,
    rows: Sequence[Row],
) -> None:
    asked = to_mapping(options)
    for name in _NOT_MEASURED:
        del asked[name]
    description = {
        "format": FORMAT,
        "benchmark": task.name,
        "title": task.benchmark.title,
        "aggregation": task.benchmark.aggregation,
        "items": result.n,
        "expected_rows": task.benchmark.rows,
        **to_mapping(result.scores),
        "published": to_mapping(task.benchmark.published),
        "unusable": result.unusable,
        "precision": "bf16-mixed" if settings.bfloat16 else "32-true",
        "table_sha256": file_sha256(task.table),
        "audio_sha256": text_sha256("\n".join(f"{row['idx']} {row['sha256']}" for row in rows)),
        "base_sha256": models.bank.base_sha256,
        "encoder_fingerprint": models.encoder.fingerprint,
        "adapters_sha256": {key: models.bank.fingerprint(key) for key in models.bank.keys},
        "options": asked,
        "versions": versions(),
        "timing": {"forward_seconds": round(result.seconds, 3)},  # nothing else differs between repetitions
    }
    del description["chosen"]
    write_choices(task.folder, task.items, result.scores.chosen)
    write_json(task.folder / RESULTS, description)
    write_text(task.folder / TABLE, markdown(task.benchmark, description))


def markdown(benchmark: Benchmark, results: Mapping[str, Any]) -> str:
    """The table of policies, with published figures below, to paste into a paper."""
    rows = [
        [
            f"{name} (bound: sees the reference)" if score["bound"] else name,
            with_interval(score["sdri"], score["sdri_ci"]),
            with_interval(score["si_sdr"], score["si_sdr_ci"]),
            with_interval(score["difference"], score["difference_ci"]),
            "" if score["regret"] is None else f"{score['regret']:.2f}",
            "" if score["accuracy"] is None else f"{score['accuracy']:.0%}",
            str(score["n"]),
        ]
        for name, score in results["policies"].items()
    ]
    for figure in benchmark.published:
        name = f"{figure.system}, published (compare with {figure.policy})"
        rows.append([name, f"{figure.sdri:.2f}", f"{figure.si_sdr:.2f}", "", "", "", str(benchmark.rows)])
    columns = ["policy", "SDRi (dB)", "SI-SDR (dB)", "over base (dB)", "regret (dB)", "accuracy", "items"]
    title = f"{benchmark.title}, {results['aggregation']}, 95% bootstrap intervals"
    return f"{title}\n\n{markdown_table(columns, rows)}"
