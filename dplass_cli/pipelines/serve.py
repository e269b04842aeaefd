"""``serve``: a local page to separate recordings with."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from dplass_cli.errors import InputError
from dplass_cli.options.serve_options import ServeOptions

if TYPE_CHECKING:
    from dplass_cli.server.http_server import ServerAddress

_EXTRA = "pip install 'dplass[serve]'"


def serve(options: ServeOptions, started: Callable[[ServerAddress], None]) -> None:
    """Serve the page until the process is interrupted or terminated; then remove the files of all jobs.

    ``started`` is called once, when the page can be opened.

    Raises:
        InputError: wrong options or models, the extra is not installed, or the port is in use.
    """
    if find_spec("starlette") is None or find_spec("uvicorn") is None:
        raise InputError(f"serve: requires the extra 'serve'; run {_EXTRA}")
    from dplass_cli.separation.separator import Separator
    from dplass_cli.server.http_server import listen, run_server
    from dplass_cli.server.job_runner import SeparationRunner

    with contextlib.closing(listen(options.host, options.port)) as listener:  # fails before models are loaded
        separator = Separator.from_spec(options.model, options.select, options.stereo, options.refine)
        separator.check(["a sound"])  # a policy that lacks what it requires fails now, not on the first job
        run_server(listener, SeparationRunner(separator), options, started)
