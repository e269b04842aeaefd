"""``dplass serve``: a page on this machine to separate recordings with."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from dplass_cli.cli.console import (
    Adapters,
    Backend,
    Base,
    Config,
    Device,
    Encoder,
    Json,
    Precision,
    Select,
    Settings,
    Stereo,
    Tokenizer,
    Trust,
    Verbose,
    options_of,
    verb,
)

if TYPE_CHECKING:
    from dplass_cli.server.http_server import ServerAddress


def command(
    context: typer.Context,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.  [default: 127.0.0.1, this machine only]")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.  [default: 7860]")] = None,
    open_browser: Annotated[
        bool | None, typer.Option("--open/--no-open", help="Open the page in a browser.  [default: on a desktop]")
    ] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Name that this server goes by in your network; repeatable.")
    ] = None,
    max_upload_mb: Annotated[float | None, typer.Option(help="Largest recording, MB.  [default: 350]")] = None,
    max_seconds: Annotated[float | None, typer.Option(help="Longest recording, seconds.  [default: 1800]")] = None,
    max_waiting: Annotated[int | None, typer.Option(help="Recordings in the queue.  [default: 8]")] = None,
    keep_minutes: Annotated[
        float | None, typer.Option(help="How long results are kept after their last use.  [default: 30]")
    ] = None,
    adapters: Adapters = None,
    select: Select = None,
    stereo: Stereo = None,
    base_checkpoint: Base = None,
    encoder: Encoder = None,
    tokenizer: Tokenizer = None,
    trust_checkpoint: Trust = None,
    device: Device = None,
    backend: Backend = None,
    precision: Precision = None,
    config: Config = None,
    settings: Settings = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Serve a page to separate recordings with: drop or record, describe, listen, download. Ctrl-C ends it.

    Example: dplass serve --port 7860
    """
    with verb(json, verbose) as run:
        from dplass_cli.options.serve_options import ServeOptions
        from dplass_cli.pipelines.serve import serve

        def started(server: ServerAddress) -> None:
            run.result(server, lambda: f"{server.address} (Ctrl-C ends it)")
            sys.stdout.flush()  # a script that started the server waits for the address
            if not server.local:
                run.note("dplass: warning: whoever reaches this machine can use the page; it asks for no password")
            if _on_a_desktop() if open_browser is None else open_browser:
                import webbrowser

                webbrowser.open(server.address)

        serve(options_of(ServeOptions, context, {"open_browser": None}), started)


def _on_a_desktop() -> bool:
    """Whether somebody sits there who sees a window open."""
    windows = sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return windows and sys.stdout.isatty()
