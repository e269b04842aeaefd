"""``dplass adapters``: inspect adapters, and convert them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import typer

from dplass_cli.cli.commands import add_command
from dplass_cli.cli.console import VerbRun, decibels, plain_table
from dplass_cli.options.adapters_options import (
    AdaptersCompressOptions,
    AdaptersDiffOptions,
    AdaptersExportOptions,
    AdaptersImportOptions,
    AdaptersInfoOptions,
    AdaptersListOptions,
    AdaptersMergeOptions,
    AdaptersPushOptions,
)

if TYPE_CHECKING:
    from dplass_cli.adapters.cost_report import AdapterReport, LayerReport

app = typer.Typer(no_args_is_help=True)


def _list(options: AdaptersListOptions, run: VerbRun) -> None:
    """List adapters: method, domain, size, and validation SDRi.

    Example: dplass adapters list run/bank
    """
    from dplass_cli.adapters.bank_folder import list_adapters

    found = list_adapters(options.paths, options.trust_checkpoint)
    columns = ["adapter", "method", "domain", "parameters", "stored as", "MB", "SDRi (dB)", "base"]
    rows = [
        [
            item.path,
            item.info.method,
            item.info.domain.get("name", "–"),
            f"{item.parameters:,}",
            item.info.dtype,
            f"{item.size / 1e6:.2f}",
            decibels(item.info.metrics.get("val_sdri")),
            item.info.base_sha256[:12] or "(contains it)",
        ]
        for item in found
    ]
    run.table(found, columns, rows)


def _info(options: AdaptersInfoOptions, run: VerbRun) -> None:
    """Print an adapter's settings, and per layer its parameters and multiply-accumulates per second of audio.

    Example: dplass adapters info run/bank/domain0
    """
    from dplass_cli.pipelines.adapters import describe

    report = describe(options)
    run.result(report, lambda: _layer_table(report))
    if not run.json:
        typer.echo(_summary(report))


def _import(options: AdaptersImportOptions, run: VerbRun) -> None:
    """Convert published adapter files (whole wrapped models) to adapter folders, or to a bank.

    Example: dplass adapters import cluster*_model.pt --partition partition --output bank
    """
    from dplass_cli.pipelines.adapters import import_adapters

    result = import_adapters(options, run.progress)
    run.table(result, ["adapter", "written"], [[key, path] for key, path in result.adapters.items()])
    for key, notes in result.notes.items():
        for note in notes:
            run.note(f"{key}: {note}")
    if result.base is not None:
        run.note(f"the contained base is written to {result.base}; give it with --base-checkpoint")


def _export(options: AdaptersExportOptions, run: VerbRun) -> None:
    """Write an adapter in the published form, a whole wrapped model.

    Example: dplass adapters export bank/domain3 --base-checkpoint audiosep.ckpt --output cluster3_model.pt
    """
    from dplass_cli.pipelines.adapters import export_adapter

    export_adapter(options)
    run.result({"output": options.output}, lambda: f"{options.output}: the wrapped model of {options.adapter}")


def _merge(options: AdaptersMergeOptions, run: VerbRun) -> None:
    """Merge an adapter into its base and write a plain base: .safetensors, or AudioSep's .ckpt.

    Example: dplass adapters merge bank/domain3 --base-checkpoint audiosep.ckpt --output merged.ckpt
    """
    from dplass_cli.pipelines.adapters import merge_adapter

    merge_adapter(options)
    run.result({"output": options.output}, lambda: f"{options.output}: the base with {options.adapter} merged")


def _compress(options: AdaptersCompressOptions, run: VerbRun) -> None:
    """Replace a linear adapter by the nearest low-rank one, and print the energy kept per layer.

    Example: dplass adapters compress run/bank/domain0 --rank 16 --output small/domain0
    """
    from dplass_cli.pipelines.adapters import compress_adapter

    kept = compress_adapter(options)
    rows = [[path, f"{share:.1%}"] for path, share in kept.items()]
    result = {"output": options.output, "energy_kept": kept}
    run.table(result, ["layer", "energy kept"], rows, f"{options.output}: rank {options.rank}")


def _diff(options: AdaptersDiffOptions, run: VerbRun) -> None:
    """Print how much each layer's weight differs between two adapters, or between the base and one.

    Example: dplass adapters diff run/bank/domain0 run/bank/domain1
    """
    from dplass_cli.pipelines.adapters import compare

    changes = compare(options)
    rows = [[path, f"{change:.3%}"] for path, change in changes.items()]
    run.table({"relative_change": changes}, ["layer", "relative change"], rows)


def _push(options: AdaptersPushOptions, run: VerbRun) -> None:
    """Share adapters on the Hugging Face Hub, with a model card (token: HF_TOKEN).

    Example: dplass adapters push run/bank hf:me/my-bank --evaluation results --licence mit
    """
    from dplass_cli.pipelines.adapters import push_adapters

    pushed = push_adapters(options)
    run.result(pushed, lambda: f"{options.bank}: shared; use it with --adapters {pushed.address}")


add_command(app, "list", _list)
add_command(app, "info", _info)
add_command(app, "import", _import)
add_command(app, "export", _export)
add_command(app, "merge", _merge)
add_command(app, "compress", _compress)
add_command(app, "diff", _diff)
add_command(app, "push", _push)


def _layer_table(report: AdapterReport) -> Any:
    """A row per layer; empty columns are left out."""
    columns: dict[str, Callable[[LayerReport], str]] = {
        "kind": lambda layer: layer.cost.kind,
        "parameters": lambda layer: f"{layer.cost.parameters:,}",
        "dead": lambda layer: f"{layer.cost.dead:,}" if layer.cost.dead else "",
        "adapter": lambda layer: f"{layer.adapter_parameters:,}" if layer.adapter_parameters else "",
        "MMAC/s": lambda layer: _millions(layer.cost.macs_per_second),
        "adapter MMAC/s": lambda layer: _millions(layer.adapter_macs_per_second),
    }
    filled = {name: cells for name, cell in columns.items() if any(cells := [cell(layer) for layer in report.layers])}
    rows = [list(row) for row in zip((layer.cost.path for layer in report.layers), *filled.values(), strict=True)]
    return plain_table(["layer", *filled], rows)


def _millions(count: float) -> str:
    return f"{count / 1e6:,.1f}" if count else ""


def _summary(report: AdapterReport) -> str:
    adapter = ""
    if info := report.info:
        ranks = sorted({settings.rank for settings in info.layers.values()})
        domain = f", domain {info.domain['id']} ({info.domain['name']})" if info.domain.get("name") else ""
        adapter = (
            f"method {info.method}, {len(info.layers)} layers, rank {', '.join(map(str, ranks))}, batchnorm"
            f" {info.batchnorm}, stored as {info.dtype}{domain}\nbase {info.base_sha256}\n"
        )
    return (
        f"{adapter}parameters: {report.total:,} in all, {report.trainable:,} trainable, {report.dead:,} dead (no output"
        f" depends on them)\nmultiply-accumulates per second of audio: {report.macs_per_second / 1e9:.2f} G, of the"
        f" adapter {report.adapter_macs_per_second / 1e9:.2f} G more; per query: {report.macs_per_query / 1e6:.2f} M"
    )
