"""Files shipped with the package, such as bundled weights and page templates, and the folder of fetched ones."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from dplass_cli.errors import InputError
from dplass_cli.storage import read_text

if TYPE_CHECKING:
    from jinja2 import Template

_PACKAGE = Path(__file__).parent


def shipped(name: str) -> Path | None:
    """The path of a shipped file or folder, or None if it is not part of this installation."""
    # ``configs`` and ``metadata`` are next to the package in a checkout, and inside it in an installed wheel.
    for folder in (_PACKAGE, _PACKAGE.parent):
        if (folder / name).exists():
            return folder / name
    return None


def resource(name: str) -> Path:
    """The path of a shipped file or folder, such as ``assets/tiny`` or ``configs/tiny.yaml``."""
    path = shipped(name)
    assert path is not None, f"{name} is not part of this installation"
    return path


@cache
def page_template(name: str) -> Template:
    """Load the template of a shipped page, such as ``report.html``; values inserted into it are HTML-escaped."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
    return environment.from_string(read_text(resource(f"assets/pages/{name}")))


def default_folder() -> Path:
    """The default folder of fetched files: ``$DPLASS_HOME``, else the system's folder of caches, such as ~/.cache.

    ``~/.cache/dplass``, which version 0.1 used on every system, is used where it exists.

    Raises:
        InputError: neither is known.
    """
    if chosen := os.environ.get("DPLASS_HOME"):
        return Path(chosen)
    try:
        earlier = Path.home() / ".cache" / "dplass"
    except RuntimeError as error:
        raise InputError("HOME is not set and this user has no home folder; set DPLASS_HOME to a folder") from error
    return earlier if earlier.is_dir() else platformdirs.user_cache_path("dplass", appauthor=False)
