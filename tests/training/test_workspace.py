"""A run's folder: claiming and locking it, resuming with the original settings, and finished jobs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dplass_cli.errors import InputError
from dplass_cli.options.parse import read_yaml
from dplass_cli.options.train_options import TrainOptions
from dplass_cli.options.train_settings import TrainSettings
from dplass_cli.training.train_result import Trained
from dplass_cli.training.workspace import Workspace, fixed_settings


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "run")


def options(folder: Path) -> TrainOptions:
    return TrainOptions(partition=Path("partition"), workspace=folder)


def test_claiming_writes_the_options(workspace: Workspace) -> None:
    with workspace.claim(options(workspace.folder), resume=False, inputs={}):
        written = read_yaml(workspace.folder / "config.yaml")
    assert written["train"]["max_epochs"] == 150
    assert "resume" not in written


def test_a_second_run_needs_resume(workspace: Workspace) -> None:
    with workspace.claim(options(workspace.folder), resume=False, inputs={}):
        pass
    with (
        pytest.raises(InputError, match="run: already contains a training run; add --resume"),
        workspace.claim(options(workspace.folder), resume=False, inputs={}),
    ):
        pass
    with workspace.claim(options(workspace.folder), resume=True, inputs={}):
        pass


def test_resuming_requires_the_original_settings(workspace: Workspace) -> None:
    given = options(workspace.folder)
    with workspace.claim(given, resume=False, inputs={}):
        pass
    other = replace(given, train=replace(given.train, batch_size_per_device=7))
    with (
        pytest.raises(InputError, match=r"was started with train.batch_size_per_device 20, not 7; --resume requires"),
        workspace.claim(other, resume=True, inputs={}),
    ):
        pass


def test_resuming_requires_the_original_inputs(workspace: Workspace) -> None:
    given = options(workspace.folder)
    with workspace.claim(given, resume=False, inputs={"base": "a" * 64, "encoder": "b" * 64}):
        pass
    with (
        pytest.raises(
            InputError, match=r"was started with another base .aaaaaaaaaaaa…, not cccccccccccc….; restore it"
        ),
        workspace.claim(given, resume=True, inputs={"base": "c" * 64, "encoder": "b" * 64}),
    ):
        pass
    (workspace.folder / "inputs.json").unlink()  # as in runs of version 0.1
    with workspace.claim(given, resume=True, inputs={"base": "c" * 64}):
        pass


def with_filter(given: TrainOptions, threshold: float | None) -> TrainOptions:
    return replace(given, data=replace(given.data, semantic_filter=threshold))


def test_a_run_from_before_the_semantic_filter_resumes_without_it(workspace: Workspace) -> None:
    given = options(workspace.folder)
    with workspace.claim(given, resume=False, inputs={}):
        pass
    config = workspace.folder / "config.yaml"
    lines = config.read_text(encoding="utf-8").splitlines(keepends=True)
    config.write_text("".join(line for line in lines if "semantic_filter" not in line), encoding="utf-8")
    for _ in range(2):
        resumed = workspace.recorded(given)
        assert resumed == with_filter(given, None)
        with workspace.claim(resumed, resume=True, inputs={}):
            pass


def test_a_resumed_run_keeps_its_semantic_filter(workspace: Workspace) -> None:
    given = options(workspace.folder)
    assert workspace.recorded(given) == given
    with workspace.claim(with_filter(given, 0.7), resume=False, inputs={}):
        pass
    assert workspace.recorded(given) == with_filter(given, 0.7)
    with (
        pytest.raises(InputError, match=r"started with data.semantic_filter 0.7, not 0.9"),
        workspace.claim(workspace.recorded(with_filter(given, 0.9)), resume=True, inputs={}),
    ):
        pass


def test_a_resumed_run_may_be_longer_and_elsewhere(workspace: Workspace) -> None:
    given = options(workspace.folder)
    with workspace.claim(given, resume=False, inputs={}):
        pass
    longer = replace(given, device="cpu", train=replace(given.train, max_epochs=300, num_workers=9))
    with workspace.claim(longer, resume=True, inputs={}):
        assert read_yaml(workspace.folder / "config.yaml")["train"]["max_epochs"] == 300


def test_a_setting_that_the_original_version_did_not_know_is_accepted(workspace: Workspace) -> None:
    given = options(workspace.folder)
    with workspace.claim(given, resume=False, inputs={}):
        pass
    config = workspace.folder / "config.yaml"
    lines = config.read_text().splitlines(keepends=True)
    config.write_text("".join(line for line in lines if "gradient_clip" not in line))
    with workspace.claim(given, resume=True, inputs={}):
        pass


def test_wrong_input_before_the_first_checkpoint_leaves_the_folder_free(workspace: Workspace) -> None:
    for folder in ("", "checkpoints/domain0"):  # an empty folder is no checkpoint
        (workspace.folder / folder).mkdir(parents=True, exist_ok=True)
        with (
            pytest.raises(InputError, match="bad"),
            workspace.claim(options(workspace.folder), resume=False, inputs={}),
        ):
            raise InputError("bad")
        assert not (workspace.folder / "config.yaml").exists()


def test_wrong_input_after_a_checkpoint_keeps_the_run(workspace: Workspace) -> None:
    def fail_after_a_checkpoint() -> None:
        with workspace.claim(options(workspace.folder), resume=False, inputs={}):
            workspace.checkpoints("domain0").mkdir(parents=True)
            (workspace.checkpoints("domain0") / "last.ckpt").touch()
            raise InputError("bad")

    with pytest.raises(InputError, match="bad"):
        fail_after_a_checkpoint()
    assert (workspace.folder / "config.yaml").exists()


def test_one_run_at_a_time_uses_a_folder(workspace: Workspace) -> None:
    with (
        workspace.lock(),
        pytest.raises(InputError, match="another sweep is using this workspace; wait for it to end"),
        workspace.lock("sweep"),
    ):
        pass


def test_a_finished_job_has_its_outcome(workspace: Workspace) -> None:
    trained = Trained(2, 6, 7.25, 6.5, 1, 4, {"a.wav": "empty"}, 10.0, 0.1)
    assert workspace.outcome("domain0") is None
    workspace.mark_finished("domain0", TrainSettings(), trained)
    assert workspace.outcome("domain0") == trained
    assert workspace.count_finished() == 1


def test_a_damaged_record_of_a_finished_job_is_named(workspace: Workspace) -> None:
    workspace.mark_finished("domain0", TrainSettings(), Trained())
    (workspace.checkpoints("domain0") / "trained.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match=r"trained.json: damaged; delete it"):
        workspace.is_finished("domain0", TrainSettings())


@pytest.mark.parametrize(
    ("requested", "finished"),
    [
        (TrainSettings(max_epochs=5), True),
        (TrainSettings(max_epochs=4), True),
        (TrainSettings(max_epochs=6), False),
        (TrainSettings(max_epochs=5, max_steps=100), False),
        (TrainSettings(max_epochs=5, patience=3), False),
    ],
)
def test_a_job_is_finished_up_to_its_limits(workspace: Workspace, requested: TrainSettings, finished: bool) -> None:
    assert not workspace.is_finished("domain0", requested)
    workspace.mark_finished("domain0", TrainSettings(max_epochs=5), Trained())
    assert workspace.is_finished("domain0", requested) is finished


def test_fixed_settings_leave_out_what_scores_do_not_depend_on(tmp_path: Path) -> None:
    fixed = fixed_settings(options(tmp_path))
    assert fixed["train.optimizer.learning_rate"] == 4e-4
    assert fixed["train.loss_type"] == "l1_wav"
    assert not fixed.keys() & {"workspace", "device", "num_gpus", "train.num_workers", "resume"}
