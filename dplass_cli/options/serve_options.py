"""Options of ``serve``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dplass_cli.errors import InputError
from dplass_cli.options.declaration import option
from dplass_cli.options.model_options import SeparatorOptions

_ROOT_PATH = re.compile(r"(/[\w.~@+-]+)+")


@dataclass(frozen=True)
class ServeOptions(SeparatorOptions):
    """Options of ``serve``."""

    host: str = option("127.0.0.1", "Address to listen on.", shown="127.0.0.1, this machine only")
    port: int = option(7860, "Port to listen on; 0 takes a free one.", least=0, most=65535)
    open_browser: bool | None = option(None, "Open the page in a browser.", "--open/--no-open", shown="on a desktop")
    allow_host: tuple[str, ...] = option(
        (), "Name of this server in your network or behind a proxy; other names are refused. Repeatable."
    )
    root_path: str = option("", "Path below which a proxy serves the page: --root-path /sounds")
    max_upload_mb: float = option(350.0, "Largest recording in MB.", above=0)
    max_seconds: float = option(1800.0, "Longest recording in seconds.", above=0)
    max_waiting: int = option(8, "Largest number of recordings in the queue.", above=0)
    keep_minutes: float = option(30.0, "Minutes that results are kept after their last use.", above=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.host:
            raise InputError("--host is empty; give an address, such as 127.0.0.1 (this machine only)")
        if self.root_path and not _ROOT_PATH.fullmatch(self.root_path):
            raise InputError(
                f"--root-path {self.root_path}: expected a path without a slash at its end, such as /sounds"
            )
