"""A training run's folder. Resuming requires the original settings, data and models."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from dplass_cli.errors import InputError
from dplass_cli.options.declaration import option_fields, resume_rules
from dplass_cli.options.parse import from_mapping, put, read_yaml, to_mapping
from dplass_cli.options.train_settings import TrainSettings
from dplass_cli.resources import shown_hash
from dplass_cli.storage import locked, make_folder, read_json, write_json, write_text
from dplass_cli.training.train_result import Trained

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

OptionsT = TypeVar("OptionsT", bound="DataclassInstance")

FINISHED = "trained.json"
"""Written to a job's folder in ``checkpoints/`` when the job is finished."""

_CONFIG, _INPUTS = "config.yaml", "inputs.json"
_NEW = object()


class Workspace:
    """The folder of a run: ``config.yaml``, ``inputs.json``, ``metrics.csv`` and the folders below.

    Attributes:
        bank: the adapters with the best validation scores.
        last_bank: the adapters as they were after the last step.
        metrics: the table of all epochs of all jobs.
        tensorboard: TensorBoard's event files, in a sub-folder per job.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bank, self.last_bank = folder / "bank", folder / "bank_last"
        self.metrics, self.tensorboard = folder / "metrics.csv", folder / "tf_logs"
        self._checkpoints = folder / "checkpoints"

    def checkpoints(self, job: str) -> Path:
        """Folder of a job's checkpoints."""
        return self._checkpoints / job

    def log(self, job: str) -> Path:
        """Text log of a job."""
        return self.folder / "logs" / f"{job}.log"

    def lock(self, what: str = "run") -> contextlib.AbstractContextManager[None]:
        """Reserve the folder for this process: one run (or sweep) at a time may use it.

        Raises:
            InputError: another process uses it.
        """

        def refuse() -> None:
            raise InputError(
                f"{self.folder}: another {what} is using this workspace; wait for it to end, or choose another"
            )

        return locked(self.folder / ".lock", refuse)

    def bank_lock(self) -> contextlib.AbstractContextManager[None]:
        """Lock the descriptions of the banks, which domains trained in parallel read and write."""
        return locked(self.folder / ".bank.lock")

    def recorded(self, options: OptionsT) -> OptionsT:
        """The options with those that the run in this folder keeps although its user does not repeat them.

        Otherwise a default that a new version changes or adds would change the rest of an old run.
        """
        config = self.folder / _CONFIG
        if not config.exists():
            return options
        before, settings = read_yaml(config), to_mapping(options)
        defaults = {field.key: field.value for field in option_fields(type(options))}
        for key, rule in resume_rules(options).items():
            was = _at(before, key)
            if rule == "recorded" and (was is _NEW or _at(settings, key) == defaults[key]):
                put(settings, key, None if was is _NEW else was)
        return from_mapping(type(options), settings, str(config))

    @contextlib.contextmanager
    def claim(self, options: DataclassInstance, resume: bool, inputs: Mapping[str, str]) -> Iterator[None]:
        """Start a run here and write its options to ``config.yaml``; or resume the one that is here.

        ``inputs``, {what the run reads: hash of its content}, are kept in ``inputs.json``: otherwise a file that was
        replaced under the same name would go on where another training stopped.

        An InputError inside the block, before the first checkpoint, undoes it: the corrected options must not be
        refused for differing from the wrong ones.

        Raises:
            InputError: there is a run and ``resume`` is not set, or it was started with other settings or inputs.
        """
        config, known = self.folder / _CONFIG, self.folder / _INPUTS
        is_new = not config.exists()
        if not is_new and not resume:
            raise InputError(
                f"{self.folder}: already contains a training run; add --resume, or choose another --workspace"
            )
        make_folder(self.folder)
        if not is_new:
            before, rules = read_yaml(config), resume_rules(options)
            for key, now in fixed_settings(options).items():
                was = _at(before, key)
                if rules[key] in ("fixed", "recorded") and was not in (now, _NEW):
                    raise InputError(
                        f"{self.folder}: was started with {key} {was!r}, not {now!r}; --resume requires the original"
                        " settings; restore them, or choose another --workspace"
                    )
            for what, was in (read_json(known) if known.is_file() else {}).items():
                if inputs.get(what) not in (was, None):
                    raise InputError(
                        f"{self.folder}: was started with another {what} ({shown_hash(was)}, not"
                        f" {shown_hash(inputs[what])}); restore it, or choose another --workspace"
                    )
        settings = {name: value for name, value in to_mapping(options).items() if name != "resume"}
        write_text(config, yaml.safe_dump(settings, sort_keys=False))
        write_json(known, dict(inputs))
        try:
            yield
        except InputError:
            if is_new and not any(self._checkpoints.glob("*/*")):
                config.unlink()
                known.unlink()
            raise

    def mark_finished(self, job: str, settings: TrainSettings, trained: Trained) -> None:
        """Record that a job is finished, with its outcome and the limits that it was trained to."""
        write_json(self.checkpoints(job) / FINISHED, {"limits": _limits(settings), "trained": to_mapping(trained)})

    def is_finished(self, job: str, settings: TrainSettings) -> bool:
        """Whether a job was trained for at least as many epochs, to the same other limits."""
        done, requested = self._finished(job).get("limits"), _limits(settings)
        if done is None:
            return False
        return bool(done.pop("max_epochs") >= requested.pop("max_epochs") and done == requested)

    def outcome(self, job: str) -> Trained | None:
        """Outcome of a finished job; None for any other."""
        trained = self._finished(job).get("trained")
        return None if trained is None else from_mapping(Trained, trained, str(self.checkpoints(job) / FINISHED))

    def _finished(self, job: str) -> dict[str, Any]:
        """The record of a finished job; empty for any other."""
        record = self.checkpoints(job) / FINISHED
        if not record.is_file():
            return {}
        content: dict[str, Any] = read_json(record)
        limits = content.get("limits") if isinstance(content, dict) else None
        if not isinstance(limits, dict) or limits.keys() != _limits(TrainSettings()).keys() or "trained" not in content:
            raise InputError(f"{record}: damaged; delete it to train this job on from its last checkpoint")
        return content

    def count_finished(self) -> int:
        """Number of finished jobs."""
        return len(list(self._checkpoints.glob(f"*/{FINISHED}")))


def _limits(settings: TrainSettings) -> dict[str, int]:
    return {"max_epochs": settings.max_epochs, "max_steps": settings.max_steps, "patience": settings.patience}


def fixed_settings(options: DataclassInstance) -> dict[str, Any]:
    """The options that a run's scores depend on: {key.path: value}."""
    settings = to_mapping(options)
    return {key: _at(settings, key) for key, rule in resume_rules(options).items() if rule != "free"}


def _at(tree: Any, key: str) -> Any:
    """The value at a key.path; ``_NEW`` for a key that the file's version did not have."""
    for part in key.split("."):
        if not isinstance(tree, Mapping):
            return tree if tree is _NEW else None
        tree = tree.get(part, _NEW)
    return tree
