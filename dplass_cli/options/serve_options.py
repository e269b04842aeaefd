"""Options of ``serve``."""

from __future__ import annotations

from dataclasses import dataclass

from dplass_cli.errors import InputError
from dplass_cli.options.declaration import check_field, option
from dplass_cli.options.model_options import SeparatorOptions


@dataclass(frozen=True)
class ServeOptions(SeparatorOptions):
    """Options of ``serve``."""

    host: str = option(
        "--host", default="127.0.0.1", shown="127.0.0.1, this machine only", help="Address to listen on."
    )
    port: int = option("--port", default=7860, help="Port to listen on; 0 takes a free one.")
    open_browser: bool | None = option(
        "--open/--no-open", default=None, shown="on a desktop", help="Open the page in a browser."
    )
    allow_host: tuple[str, ...] = option(
        "--allow-host",
        default=(),
        help="Name of this server in your network; requests for other names are refused. Repeatable.",
    )
    max_upload_mb: float = option(  # half an hour of stereo at 48 kHz, which is what browsers decode to
        "--max-upload-mb", default=350.0, help="Largest recording in MB."
    )
    max_seconds: float = option("--max-seconds", default=1800.0, help="Longest recording in seconds.")
    max_waiting: int = option("--max-waiting", default=8, help="Largest number of recordings in the queue.")
    keep_minutes: float = option(
        "--keep-minutes", default=30.0, help="Minutes that results are kept after their last use."
    )

    def __post_init__(self) -> None:
        if not self.host:
            raise InputError("--host is empty; give an address, such as 127.0.0.1 (this machine only)")
        check_field(self, "port", 0 <= self.port <= 65535, "from 0 to 65535")
        for name in ("max_upload_mb", "max_seconds", "max_waiting", "keep_minutes"):
            check_field(self, name, getattr(self, name) > 0, "more than 0")
