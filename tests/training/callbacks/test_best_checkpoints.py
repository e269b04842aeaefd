"""Which epochs' weights are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from dplass_cli.training.callbacks.best_checkpoints import BestCheckpoints


class Trainer:
    """Ends epochs with given scores, and saves empty files."""

    is_global_zero = True

    def __init__(self) -> None:
        self.current_epoch = self.global_step = 0
        self.callback_metrics: dict[str, torch.Tensor] = {}

    def save_checkpoint(self, path: Path, weights_only: bool) -> None:
        assert weights_only
        path.touch()

    def end_epoch(self, callback: BestCheckpoints, sdri: float) -> None:
        self.callback_metrics = {"val_sdri": torch.tensor(sdri), "val_si_sdr": torch.tensor(sdri - 1)}
        self.global_step += 10
        callback.on_train_epoch_end(self, None)
        self.current_epoch += 1


@pytest.fixture
def improvements() -> list[int]:
    return []


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def after(folder: Path, count: int, scores: list[float], improvements: list[int] | None = None) -> BestCheckpoints:
    trainer = Trainer()
    improved = [] if improvements is None else improvements
    callback = BestCheckpoints(folder, count, lambda: improved.append(trainer.current_epoch))
    for score in scores:
        trainer.end_epoch(callback, score)
    return callback


def test_the_best_epochs_are_kept_best_first(tmp_path: Path) -> None:
    kept = after(tmp_path, 2, [1.0, 3.0, 2.0, 0.0]).kept
    assert [(saved.sdri, saved.si_sdr, saved.epoch) for saved in kept] == [(3.0, 2.0, 1), (2.0, 1.0, 2)]
    assert files(tmp_path) == ["step00000020.ckpt", "step00000030.ckpt"]


def test_each_improvement_is_signalled(tmp_path: Path, improvements: list[int]) -> None:
    after(tmp_path, 3, [1.0, 0.0, 2.0, 2.0], improvements)
    assert improvements == [0, 2]  # an equal score is not better


def test_an_epoch_without_a_score_is_not_kept(tmp_path: Path, improvements: list[int]) -> None:
    assert after(tmp_path, 1, [float("nan")], improvements).kept == []
    assert improvements == []


def test_a_resumed_run_knows_the_kept_epochs(tmp_path: Path) -> None:
    before = after(tmp_path, 2, [1.0, 3.0])
    resumed = BestCheckpoints(tmp_path, 2, lambda: None)
    resumed.load_state_dict(before.state_dict())
    assert resumed.kept == before.kept


def test_a_resumed_run_forgets_epochs_whose_files_are_gone(tmp_path: Path) -> None:
    before = after(tmp_path, 2, [1.0, 3.0])
    (tmp_path / "step00000010.ckpt").unlink()
    resumed = BestCheckpoints(tmp_path, 2, lambda: None)
    resumed.load_state_dict(before.state_dict())
    assert [saved.epoch for saved in resumed.kept] == [1]


def test_the_state_of_version_0_1_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "step00000020.ckpt").touch()
    resumed: Any = BestCheckpoints(tmp_path, 1, lambda: None)
    assert resumed.state_key == "BestCheckpoints"
    resumed.load_state_dict({"kept": [(3.0, 2.0, 1, "step00000020.ckpt")]})
    assert resumed.kept[0].file == "step00000020.ckpt"
