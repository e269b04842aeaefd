"""``dplass export``: a network with an adapter in it for other programs."""

from __future__ import annotations

from dplass_cli.cli.console import VerbRun
from dplass_cli.options.export_options import ExportOptions


def command(options: ExportOptions, run: VerbRun) -> None:
    """Write a base with one adapter merged into it as a graph from waveform to waveform.

    Example: dplass export --adapters run/bank --select single:3 --output dogs.onnx
    """
    from dplass_cli.pipelines.export import export

    result = export(options)
    rows = [
        [result.files[0], kind, name, " x ".join(map(str, shape)), "float32"]
        for kind, named in (("input", result.inputs), ("output", result.outputs))
        for name, shape in named.items()
    ]
    run.table(result, ["written", "", "name", "shape", "type"], rows, left=3)
    run.note(f"{result.sample_rate} Hz; adapter: {result.adapter or 'none'}; docs/export.md shows how to use it")
