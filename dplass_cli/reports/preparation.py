"""The page about a prepared manifest."""

from __future__ import annotations

from pathlib import Path

from dplass_cli.data.preparation import PrepareResult


def write_report(path: Path, result: PrepareResult) -> None:
    raise NotImplementedError
