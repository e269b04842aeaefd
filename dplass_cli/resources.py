"""Files shipped with the package, such as bundled weights and page templates, and the folder of fetched ones."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from dplass_cli.errors import InputError
from dplass_cli.storage import read_json, read_text

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


BUNDLED_MODELS = ("tiny", "tiny-0.1")
"""The models that are shipped with the package: today's, and version 0.1's, to which its users' adapters belong."""


def bundled_or_path(name: str | Path, file: str) -> Path:
    """A file of a bundled model by the model's name, or any other path as it is."""
    return resource(f"assets/{name}/{file}") if str(name) in BUNDLED_MODELS else Path(name)


@cache
def calibrations(file: str) -> tuple[tuple[str, Any], ...]:
    """(name, content) of a calibration file, such as ``presence.json``, of every bundled model."""
    return tuple((name, read_json(resource(f"assets/{name}/{file}"))) for name in BUNDLED_MODELS)


def bundled_encoder(name: str, fingerprint: str | None) -> str:
    """The encoder that ``tiny`` means to what belongs to a fingerprint: of the bundled ones, that one if it is there.

    So partitions and bases that were made with version 0.1 go on working under the name that its encoder had.
    """
    owners = (owner for owner, fitted in calibrations("presence.json") if fitted["encoder"] == fingerprint)
    return next(owners, name) if name == "tiny" else name


def shown_hash(value: str) -> str:
    """The beginning of the hash of a base or an encoder, and which bundled model has it."""
    owner = next((name for name, fitted in calibrations("presence.json") if value in fitted.values()), None)
    return f"{value[:12]}…" + (f", the bundled {owner}" if owner else "")


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
