"""Options of ``serve``."""

from __future__ import annotations

from dataclasses import dataclass

from dplass_cli.errors import InputError
from dplass_cli.options.model_options import SeparatorOptions


@dataclass(frozen=True)
class ServeOptions(SeparatorOptions):
    """Options of ``serve``; the models as :class:`~dplass_cli.options.model_options.SeparatorOptions`.

    Attributes:
        host, port: where to listen; port 0 takes a free one.
        allow_host: names that the server answers to, beside IP addresses, ``localhost`` and ``host``.
        max_upload_mb, max_seconds: of a recording. max_waiting: recordings in the queue.
        keep_minutes: how long results are kept after their last use.
    """

    host: str = "127.0.0.1"
    port: int = 7860
    allow_host: tuple[str, ...] = ()
    max_upload_mb: float = 350.0  # half an hour of stereo at 48 kHz, which is what browsers decode to
    max_seconds: float = 1800.0
    max_waiting: int = 8
    keep_minutes: float = 30.0

    def __post_init__(self) -> None:
        if not self.host:
            raise InputError("--host is empty; give an address, such as 127.0.0.1 (this machine only)")
        if not 0 <= self.port <= 65535:
            raise InputError(f"--port {self.port}: a port is a number from 0 to 65535")
        for name in ("max_upload_mb", "max_seconds", "max_waiting", "keep_minutes"):
            if not getattr(self, name) > 0:
                raise InputError(f"--{name.replace('_', '-')} must be more than 0, not {getattr(self, name)}")
