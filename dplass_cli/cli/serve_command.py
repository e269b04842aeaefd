"""``dplass serve``: a page on this machine that separates recordings."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from dplass_cli.cli.console import VerbRun
from dplass_cli.options.serve_options import ServeOptions

if TYPE_CHECKING:
    from dplass_cli.server.http_server import ServerAddress


def command(options: ServeOptions, run: VerbRun) -> None:
    """Serve a page that separates recordings: drop or record, describe, listen, download. Ctrl-C ends it.

    Example: dplass serve --port 7860
    """
    from dplass_cli.pipelines.serve import serve

    def started(server: ServerAddress) -> None:
        run.result(server, lambda: f"{server.address} (Ctrl-C ends it)")
        sys.stdout.flush()  # a script that started the server waits for the address
        if not server.local:
            run.note("dplass: warning: whoever reaches this machine can use the page; it asks for no password")
        if _on_a_desktop() if options.open_browser is None else options.open_browser:
            import webbrowser

            webbrowser.open(server.address)

    serve(options, started)


def _on_a_desktop() -> bool:
    """Whether there is a screen, and a user at the terminal."""
    windows = sys.platform in ("darwin", "win32") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
    return windows and sys.stdout.isatty()
