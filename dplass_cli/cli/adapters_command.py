"""``dplass adapters``: look at adapters, and turn them into other forms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dplass_cli.cli.console import Config, Json, Settings, Trust, Verbose, options_of, plain_table, verb

if TYPE_CHECKING:
    from dplass_cli.pipelines.adapters import AdapterReport, LayerReport

app = typer.Typer(no_args_is_help=True, help="Look at adapters, and turn them into other forms.")

One = Annotated[Path, typer.Argument(metavar="ADAPTER", help="An adapter folder, or a published file.")]
Base = Annotated[str, typer.Option("--base-checkpoint", help="The base it belongs to: tiny or a checkpoint.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="What to write.")]


@app.command("list")
def list_(
    paths: Annotated[
        list[Path], typer.Argument(help="Banks (tiny: the bundled one), adapter folders, published files.")
    ],
    trust_checkpoint: Trust = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """List adapters: method, domain, size, and what validation reached.

    Example: dplass adapters list run/bank
    """
    with verb(json, verbose) as run:
        from dplass_cli.pipelines.adapters import list_adapters

        found = list_adapters(paths, bool(trust_checkpoint))
        rows = []
        for item in found:
            sdri = item.info.metrics.get("val_sdri")
            rows.append(
                [
                    str(item.path),
                    item.info.method,
                    str(item.info.domain.get("name", "–")),
                    f"{item.parameters:,}",
                    item.info.dtype,
                    f"{item.size / 1e6:.2f}",
                    "–" if sdri is None else f"{sdri:.2f}",
                    item.info.base_sha256[:12] or "(contains it)",
                ]
            )
        columns = ["adapter", "method", "domain", "parameters", "stored as", "MB", "SDRi (dB)", "base"]
        run.result(found, lambda: plain_table("", columns, rows))


@app.command("info")
def info(
    adapter: Annotated[
        Path | None,
        typer.Argument(metavar="[ADAPTER]", help="An adapter folder or published file; none: the base alone."),
    ] = None,
    base_checkpoint: Base = "tiny",
    trust: Trust = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Tell an adapter's settings, and count parameters and multiply-accumulates a second of audio, a layer a row.

    Example: dplass adapters info run/bank/domain0
    """
    with verb(json, verbose) as run:
        from dplass_cli.pipelines.adapters import describe

        report = describe(adapter, base_checkpoint, bool(trust))
        run.result(report, lambda: _layer_table(report))
        if not json:
            typer.echo(_summary(report))


def _layer_table(report: AdapterReport) -> Any:
    """A row a layer; columns that would be empty are left out."""
    columns: dict[str, Callable[[LayerReport], str]] = {
        "kind": lambda layer: layer.cost.kind,
        "parameters": lambda layer: f"{layer.cost.parameters:,}",
        "dead": lambda layer: f"{layer.cost.dead:,}" if layer.cost.dead else "",
        "adapter": lambda layer: f"{layer.adapter_parameters:,}" if layer.adapter_parameters else "",
        "MMAC/s": lambda layer: _millions(layer.cost.macs_per_second),
        "adapter MMAC/s": lambda layer: _millions(layer.adapter_macs_per_second),
    }
    filled = {name: cells for name, cell in columns.items() if any(cells := [cell(layer) for layer in report.layers])}
    rows = [
        [layer.cost.path, *(cells[number] for cells in filled.values())] for number, layer in enumerate(report.layers)
    ]
    return plain_table("", ["layer", *filled], rows)


def _millions(count: float) -> str:
    return f"{count / 1e6:,.1f}" if count else ""


def _summary(report: AdapterReport) -> str:
    lines = []
    if report.info is not None:
        told = report.info
        ranks = sorted({settings.rank for settings in told.layers.values()})
        domain = told.domain.get("name")
        lines += [
            f"method {told.method}, {len(told.layers)} layers, rank {', '.join(map(str, ranks))}, batchnorm"
            f" {told.batchnorm}, stored as {told.dtype}"
            + (f", domain {told.domain['id']} ({domain})" if domain else ""),
            f"base {told.base_sha256}",
        ]
    return "\n".join(
        [
            *lines,
            f"parameters: {report.total:,} in all, {report.trainable:,} trainable, {report.dead:,} dead (no output"
            " depends on them)",
            f"multiply-accumulates a second of audio: {report.macs_per_second / 1e9:.2f} G, of the adapter"
            f" {report.adapter_macs_per_second / 1e9:.2f} G more; a query: {report.macs_per_query / 1e6:.2f} M",
        ]
    )


@app.command("import")
def import_(
    context: typer.Context,
    files: Annotated[list[Path] | None, typer.Argument(help="Published files, such as cluster3_model.pt.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder of the adapters.")] = None,
    base_checkpoint: Annotated[
        str | None,
        typer.Option("--base-checkpoint", help="The base they must belong to.  [default: the contained one, written]"),
    ] = None,
    partition: Annotated[Path | None, typer.Option(help="Partition folder: the adapters become a bank of it.")] = None,
    trust_checkpoint: Trust = None,
    config: Config = None,
    settings: Settings = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Turn published adapter files (whole wrapped models) into adapter folders, or a bank.

    Example: dplass adapters import cluster*_model.pt --partition partition --output bank
    """
    with verb(json, verbose) as run:
        from dplass_cli.pipelines.adapters import ImportOptions, import_adapters

        result = import_adapters(options_of(ImportOptions, context), run.progress)
        rows = [[key, str(path)] for key, path in result.adapters.items()]
        run.result(result, lambda: plain_table("", ["adapter", "written"], rows))
        for key, notes in result.notes.items():
            for note in notes:
                run.note(f"{key}: {note}")
        if result.base is not None:
            run.note(f"the contained base is written to {result.base}; give it with --base-checkpoint")


@app.command("export")
def export(
    adapter: One,
    output: Output,
    base_checkpoint: Base = "tiny",
    trust: Trust = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Write an adapter in the published form, a whole wrapped model.

    Example: dplass adapters export bank/domain3 --base-checkpoint audiosep.ckpt --output cluster3_model.pt
    """
    with verb(json, verbose) as run:
        from dplass_cli.pipelines.adapters import export_adapter

        export_adapter(adapter, output, base_checkpoint, bool(trust))
        run.result({"output": output}, lambda: f"{output}: the wrapped model of {adapter}")


@app.command("merge")
def merge(
    adapter: One,
    output: Output,
    base_checkpoint: Base = "tiny",
    trust: Trust = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Merge an adapter into its base and write a plain base: .safetensors, or AudioSep's .ckpt.

    Example: dplass adapters merge bank/domain3 --base-checkpoint audiosep.ckpt --output merged.ckpt
    """
    with verb(json, verbose) as run:
        from dplass_cli.pipelines.adapters import merge_adapter

        merge_adapter(adapter, output, base_checkpoint, bool(trust))
        run.result({"output": output}, lambda: f"{output}: the base with {adapter} merged")


@app.command("compress")
def compress(
    adapter: One,
    rank: Annotated[int, typer.Option(help="Rank to keep in every layer.")],
    output: Output,
    base_checkpoint: Base = "tiny",
    dtype: Annotated[str | None, typer.Option(help="float32, float16 or bfloat16.  [default: as stored]")] = None,
    trust: Trust = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Replace a linear adapter by the low-rank one nearest to it, and tell the energy kept a layer.

    Example: dplass adapters compress run/bank/domain0 --rank 16 --output small/domain0
    """
    with verb(json, verbose) as run:
        from dplass_cli.pipelines.adapters import compress_adapter

        kept = compress_adapter(adapter, output, rank, base_checkpoint, dtype, bool(trust))
        rows = [[path, f"{share:.1%}"] for path, share in kept.items()]
        run.result(
            {"output": output, "energy_kept": kept},
            lambda: plain_table(f"{output}: rank {rank}", ["layer", "energy kept"], rows),
        )


@app.command("diff")
def diff(
    first: One,
    second: Annotated[
        Path | None, typer.Argument(metavar="[SECOND]", help="Another adapter; none: compare with the base.")
    ] = None,
    base_checkpoint: Base = "tiny",
    trust: Trust = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Tell how much each layer's weight differs between two adapters, or between the base and one.

    Example: dplass adapters diff run/bank/domain0 run/bank/domain1
    """
    with verb(json, verbose) as run:
        from dplass_cli.pipelines.adapters import compare

        changes = compare(first, second, base_checkpoint, bool(trust))
        rows = [[path, f"{change:.3%}"] for path, change in changes.items()]
        run.result({"relative_change": changes}, lambda: plain_table("", ["layer", "relative change"], rows))
