"""``evaluate``: every adapter on every mixture, and what each selection policy makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dplass_cli import __version__
from dplass_cli.adapters.files import versions
from dplass_cli.configuration import to_mapping
from dplass_cli.data.mixtures import Mixture, read_mixtures
from dplass_cli.devices import choose_device
from dplass_cli.errors import InputError
from dplass_cli.evaluation.aggregation import PolicyScore, score_policies
from dplass_cli.evaluation.benchmarks import find_benchmark
from dplass_cli.evaluation.evaluator import COLUMNS, evaluate_mixtures
from dplass_cli.separation.loading import Models, load_models
from dplass_cli.separation.policies import make_policy
from dplass_cli.storage import Progress, Records, no_progress, write_json, write_text
from dplass_cli.weights.hashing import text_sha256


@dataclass(frozen=True)
class EvaluateOptions:
    """Options of ``evaluate``.

    Attributes:
        metadata_csv: the benchmark's table.
        output: folder of ``results.json``, ``results.md`` and ``items.csv``; an interrupted run goes on in it.
        audio_dir: where the table's audio lies; default beside the table.
        benchmark: a row of the table of benchmarks.
        select: the policies to report; without adapters only ``base`` can be.
        limit: only the first so many rows.
        batch_size: mixtures a forward.
        base_checkpoint, encoder, adapters, tokenizer, trust_checkpoint, device: the models and where they run.
    """

    metadata_csv: Path
    output: Path
    audio_dir: Path | None = None
    benchmark: str = "custom"
    select: tuple[str, ...] | None = None
    limit: int | None = None
    batch_size: int = 8
    base_checkpoint: str = "tiny"
    encoder: str | None = None
    adapters: tuple[str, ...] | None = None
    tokenizer: Path | None = None
    trust_checkpoint: bool = False
    device: str = "auto"

    def __post_init__(self) -> None:
        for name in ("batch_size", "limit"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")


@dataclass(frozen=True)
class EvaluateResult:
    """What was measured; the same is in ``results.json``."""

    benchmark: str
    policies: dict[str, PolicyScore]
    adapters: dict[str, dict[str, float]]
    silent_references: int
    folder: Path


def evaluate(options: EvaluateOptions, progress: Progress = no_progress) -> EvaluateResult:
    """Evaluate and write the evaluation folder.

    Raises:
        InputError: wrong options, table, audio or models.
    """
    benchmark = find_benchmark(options.benchmark)
    mixtures = read_mixtures(options.metadata_csv, options.audio_dir)[: options.limit]
    _check_unique(mixtures, options.metadata_csv)
    models = load_models(
        options.base_checkpoint,
        options.encoder,
        options.adapters,
        options.tokenizer,
        choose_device(options.device),
        options.trust_checkpoint,
    )
    chosen = options.select or (("base", "text", "oracle") if models.bank.domains else ("base",))
    policies = [make_policy(name) for name in chosen]
    for policy in policies:
        if policy.name != "base" and not models.bank.keys:
            raise InputError(f"--select {policy.name}: needs adapters; give --adapters BANK, or --select base alone")
    with Records(options.output / "items.csv", COLUMNS, _key(mixtures, models, benchmark.seconds)) as records:
        silent = evaluate_mixtures(mixtures, models, records, benchmark.seconds, options.batch_size, progress)
        rows = records.rows
    captions = sorted({mixture.source.caption for mixture in mixtures})
    embeddings = dict(zip(captions, models.encoder.embed_text(captions), strict=True))
    scores = score_policies(policies, rows, embeddings, models.bank, make_policy("oracle"))
    singles = [make_policy(f"single:{key}") for key in models.bank.keys]
    each = score_policies(singles, rows, embeddings, models.bank, make_policy("oracle"))
    result = EvaluateResult(
        options.benchmark,
        scores,
        {name.partition(":")[2]: {"sdri": score.sdri, "si_sdr": score.si_sdr} for name, score in each.items()},
        silent,
        options.output,
    )
    _write(result, models, options)
    return result


def _check_unique(mixtures: list[Mixture], table: Path) -> None:
    seen: set[str] = set()
    for mixture in mixtures:
        if mixture.idx in seen:
            raise InputError(f"{table}: idx {mixture.idx!r} occurs twice; give every row its own")
        seen.add(mixture.idx)


def _key(mixtures: list[Mixture], models: Models, seconds: float) -> str:
    """What the rows of ``items.csv`` depend on; other mixtures or models begin the record anew."""
    parts = [f"{m.idx}|{m.source}|{m.noise}|{m.snr_db}" for m in mixtures]
    adapters = [f"{key}|{models.bank.fingerprint(key)}" for key in models.bank.keys]
    return text_sha256(
        "\n".join([*parts, models.bank.base_sha256, models.encoder.fingerprint, *adapters, str(seconds)])
    )


def _write(result: EvaluateResult, models: Models, options: EvaluateOptions) -> None:
    lines = ["| policy | SDRi (dB) | SI-SDR (dB) | regret (dB) | accuracy | items |", "|---|---:|---:|---:|---:|---:|"]
    for name, score in result.policies.items():
        regret = "" if score.regret is None else f"{score.regret:.2f}"
        accuracy = "" if score.accuracy is None else f"{score.accuracy:.0%}"
        bound = " (bound: sees the reference)" if score.bound else ""
        lines.append(f"| {name}{bound} | {score.sdri:.2f} | {score.si_sdr:.2f} | {regret} | {accuracy} | {score.n} |")
    write_text(options.output / "results.md", "\n".join(lines) + "\n")
    write_json(
        options.output / "results.json",
        {
            "benchmark": result.benchmark,
            "policies": to_mapping(result.policies),
            "adapters": result.adapters,
            "silent_references": result.silent_references,
            "base_sha256": models.bank.base_sha256,
            "encoder_fingerprint": models.encoder.fingerprint,
            "options": to_mapping(options),
            "versions": {"dplass": __version__, **versions()},
        },
    )
