"""Reading AudioSep's published ``audiosep_base.yaml`` as a configuration: its keys and the options they map to."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from dplass_cli.options.parse import put

_log = logging.getLogger(__name__)

_RENAMED = {
    "model.resume_checkpoint": "base_checkpoint",
    "model.use_text_ratio": "data.use_text_ratio",
    "train.optimizer.lr_lambda_type": "train.optimizer.schedule",
    "train.num_nodes": "num_nodes",
    "train.early_stop_steps": "train.max_steps",
}
_IGNORED = {
    "task_name": "a run is identified by its workspace",
    "data.datafiles": "replaced by --data PARTITION",
    "model.query_net": "replaced by --encoder, or the base's own encoder",
    "model.condition_size": "read from the base's file",
    "model.model_type": "read from the base's file",
    "model.input_channels": "each channel is separated on its own",
    "model.output_channels": "each channel is separated on its own",
    "train.evaluate_step_frequency": "validation follows every epoch; use train.steps_per_epoch",
}


def adopt(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Rename AudioSep's keys to this package's options, and drop those without one, with a warning in the log.

    Other keys stay, so this package's own configurations pass unchanged.
    """
    adopted: dict[str, Any] = {}
    for path, value in _leaves(tree):
        if path in _IGNORED:
            _log.warning("%s is ignored: %s", path, _IGNORED[path])
        elif path not in _RENAMED or value not in ("", None):
            put(adopted, _RENAMED.get(path, path), value)
    return adopted


def _leaves(tree: Mapping[str, Any], path: str = "") -> list[tuple[str, Any]]:
    """The tree's leaves as (key.path, value). A mapping without renamed or ignored keys inside counts as a leaf."""
    leaves: list[tuple[str, Any]] = []
    renamed = {key.rpartition(".")[0] for key in (*_RENAMED, *_IGNORED)}
    for key, value in tree.items():
        here = f"{path}{key}"
        leaves += _leaves(value, f"{here}.") if isinstance(value, Mapping) and here in renamed else [(here, value)]
    return leaves
