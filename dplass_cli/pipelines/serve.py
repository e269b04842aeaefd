"""``serve``: a local page to separate recordings with."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from dplass_cli.extras import require_extra
from dplass_cli.options.serve_options import ServeOptions

if TYPE_CHECKING:
    from dplass_cli.server.http_server import ServerAddress


def serve(options: ServeOptions, started: Callable[[ServerAddress], None]) -> None:
    """Serve the page until the process is interrupted or terminated; then remove the files of all jobs.

    ``started`` is called once, when the page can be opened.

    Raises:
        InputError: wrong options or models, the extra is not installed, or the port is in use.
    """
    require_extra("serve", "serve")
    from dplass_cli.separation.separator import Separator
    from dplass_cli.server.http_server import listen, run_server
    from dplass_cli.server.job_runner import SeparationRunner

    with contextlib.closing(listen(options.host, options.port)) as listener:  # fails before models are loaded
        separator = Separator.from_spec(options.model, options.select, options.stereo, options.refine, options.window)
        separator.check(["a sound"])  # a policy that lacks what it requires fails now, not on the first job
        run_server(listener, SeparationRunner(separator), options, started)
