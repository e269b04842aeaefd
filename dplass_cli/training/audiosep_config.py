"""AudioSep's published ``audiosep_base.yaml`` as configuration: what its keys are called here."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from dplass_cli.options.parse import put

_log = logging.getLogger(__name__)

_OURS = {
    "model.resume_checkpoint": "base_checkpoint",
    "model.use_text_ratio": "data.use_text_ratio",
    "train.optimizer.lr_lambda_type": "train.optimizer.schedule",
    "train.num_nodes": "num_nodes",
    "train.early_stop_steps": "train.max_steps",
}
_WITHOUT_MEANING = {
    "task_name": "a run is known by its workspace",
    "data.datafiles": "--data PARTITION takes their place",
    "model.query_net": "--encoder, or the base's own encoder, takes its place",
    "model.condition_size": "the base's file says it",
    "model.model_type": "the base's file says it",
    "model.input_channels": "channels are separated alike, each for itself",
    "model.output_channels": "channels are separated alike, each for itself",
    "train.evaluate_step_frequency": "validation follows every epoch; set train.steps_per_epoch",
}


def adopt(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Give published keys the names they have here; those without a meaning are logged and left out.

    Keys that are the same here, and trees of our own, stay as they are.
    """
    adopted: dict[str, Any] = {}
    for path, value in _leaves(tree):
        if path in _WITHOUT_MEANING:
            _log.warning("%s has no meaning here and is left out: %s", path, _WITHOUT_MEANING[path])
        elif path not in _OURS or value not in ("", None):
            put(adopted, _OURS.get(path, path), value)
    return adopted


def _leaves(tree: Mapping[str, Any], path: str = "") -> list[tuple[str, Any]]:
    """The leaves of a tree by their paths; a mapping below none of our renamed keys is a leaf too."""
    found: list[tuple[str, Any]] = []
    renamed = {key.rpartition(".")[0] for key in (*_OURS, *_WITHOUT_MEANING)}
    for key, value in tree.items():
        here = f"{path}{key}"
        found += _leaves(value, f"{here}.") if isinstance(value, Mapping) and here in renamed else [(here, value)]
    return found
