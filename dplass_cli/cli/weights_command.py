"""``dplass weights``: list, fetch and verify published weights."""

from __future__ import annotations

from dataclasses import replace

import typer

from dplass_cli.cli.commands import add_command
from dplass_cli.cli.console import VerbRun
from dplass_cli.options.weights_options import WeightsFetchOptions, WeightsOptions, WeightsVerifyOptions

app = typer.Typer(no_args_is_help=True)


def _list(options: WeightsOptions, run: VerbRun) -> None:
    """List known files: purpose, size, licence, and where they are if fetched.

    Example: dplass weights list
    """
    from dplass_cli.pipelines.weights import list_weights

    listed = list_weights(options)
    rows = []
    for item in listed:
        total = sum(file.size or 0 for file in item.row.files)
        size = _bytes(total) if total else "unknown"
        where = str(item.folder or "-")
        if item.folder and item.missing:
            where += f" ({len(item.missing)} of {len(item.row.files)} files missing)"
        sha256 = "unverified" if item.row.unverified else "known"
        rows.append([item.name, item.row.what, size, sha256, item.row.licence, where])
    run.table(listed, ["name", "what for", "about", "sha256", "licence", "where"], rows, left=6)


def _fetch(options: WeightsFetchOptions, run: VerbRun) -> None:
    """Fetch missing files, resume interrupted downloads, and pin the hash of every file when it is first seen.

    A name of dplass models fetches all that the model consists of. Example: dplass weights fetch audiosep
    """
    from dplass_cli.pipelines.weights import fetch_weights, list_weights
    from dplass_cli.weights.named_models import list_models

    fetched = fetch_weights(options, run.progress)
    rows = [[f.path, _bytes(f.size), f.sha256[:12], "fetched" if f.downloaded else "was there"] for f in fetched]
    run.table(fetched, ["file", "size", "sha256", ""], rows, left=4)
    for item in list_weights(replace(options, names=tuple(dict.fromkeys(file.name for file in fetched)))):
        run.note(f"{item.name}: licence {item.row.licence}. {item.row.note or ''}".rstrip())
    for model in list_models():
        if not model.missing and {file.name for file in fetched} & set(model.model.fetch):
            run.note(f"Use it: dplass separate RECORDING.wav --query 'a dog barking' --model {model.name} --output out")


def _verify(options: WeightsVerifyOptions, run: VerbRun) -> None:
    """Hash fetched files again and compare with the pinned hashes; exit code 1 if one differs or is missing.

    Example: dplass weights verify
    """
    from dplass_cli.pipelines.weights import verify_weights

    verified = verify_weights(options, run.progress)
    rows = [[v.path, v.status, (v.expected or "-")[:12], (v.found or "-")[:12]] for v in verified]
    run.table(verified, ["file", "status", "expected", "found"], rows, left=4)
    wrong = {"differs": "differs; move it away and fetch again", "missing": "is missing; fetch it"}
    run.some_failed(f"{v.path} {wrong[v.status]}" for v in verified if v.status in wrong)


add_command(app, "list", _list)
add_command(app, "fetch", _fetch, interrupted="what was downloaded is kept; run the same command again")
add_command(app, "verify", _verify)


def _bytes(size: int) -> str:
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size} B"
