"""``dplass evaluate``: every adapter on a benchmark, and what each selection policy makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dplass_cli.cli.common import (
    Adapters,
    Base,
    Config,
    Device,
    Encoder,
    Json,
    Settings,
    Tokenizer,
    Trust,
    Verbose,
    plain_table,
    verb,
)

if TYPE_CHECKING:
    from dplass_cli.evaluation.aggregation import PolicyScore


def command(
    benchmark: Annotated[str | None, typer.Option(help="Which benchmark.  [default: custom]")] = None,
    metadata_csv: Annotated[Path | None, typer.Option("--metadata-csv", help="The benchmark's table.")] = None,
    audio_dir: Annotated[
        Path | None, typer.Option("--audio-dir", help="Its audio.  [default: beside the table]")
    ] = None,
    base_checkpoint: Base = None,
    adapters: Adapters = None,
    encoder: Encoder = None,
    tokenizer: Tokenizer = None,
    select: Annotated[
        str | None,
        typer.Option(help="Policies, such as base,text,oracle,single:3.  [default: base,text,oracle with adapters]"),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The evaluation folder; resumes there.")] = None,
    limit: Annotated[int | None, typer.Option(help="Only the first so many rows.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Mixtures a forward.  [default: 8]")] = None,
    trust: Trust = None,
    device: Device = None,
    config: Config = None,
    settings: Settings = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Measure the base and every adapter, and compare the ways of choosing an adapter.

    Example: dplass evaluate --metadata-csv eval.csv --audio-dir audio --adapters run/bank --output eval
    """
    with verb(json, verbose) as run:
        from dplass_cli.configuration import build_options
        from dplass_cli.pipelines.evaluate import EvaluateOptions, evaluate

        flags = {
            "benchmark": benchmark,
            "metadata_csv": metadata_csv,
            "audio_dir": audio_dir,
            "base_checkpoint": base_checkpoint,
            "adapters": adapters,
            "encoder": encoder,
            "tokenizer": tokenizer,
            "select": select,
            "output": output,
            "limit": limit,
            "batch_size": batch_size,
            "trust_checkpoint": trust,
            "device": device,
        }
        result = evaluate(build_options(EvaluateOptions, config, settings or (), flags), run.progress)
        run.result(result, lambda: policy_table(f"{result.benchmark}: {result.folder}", result.policies))
        if result.silent_references:
            run.note(f"{result.silent_references} items have a silent reference and are left out")


def policy_table(title: str, policies: dict[str, PolicyScore]) -> Any:
    """A line a policy."""
    rows = [
        [
            f"{name} (bound: sees the reference)" if score.bound else name,
            f"{score.sdri:.2f}",
            f"{score.si_sdr:.2f}",
            "" if score.regret is None else f"{score.regret:.2f}",
            "" if score.accuracy is None else f"{score.accuracy:.0%}",
            str(score.n),
        ]
        for name, score in policies.items()
    ]
    return plain_table(title, ["policy", "SDRi (dB)", "SI-SDR (dB)", "regret (dB)", "accuracy", "items"], rows)
