"""The keys of AudioSep's published ``audiosep_base.yaml`` are accepted as configuration."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import yaml

from dplass_cli.errors import InputError
from dplass_cli.options.parse import build_options
from dplass_cli.pipelines.train import TrainOptions
from dplass_cli.training.audiosep_config import adopt
from dplass_cli.training.optimizers import check_names

# All keys of AudioSep's config/audiosep_base.yaml, with its values.
PUBLISHED = {
    "task_name": "AudioSep",
    "data": {
        "datafiles": ["datafiles/template.json"],
        "sampling_rate": 32000,
        "segment_seconds": 5,
        "loudness_norm": {"lower_db": -10, "higher_db": 10},
        "max_mix_num": 2,
    },
    "model": {
        "query_net": "CLAP",
        "condition_size": 512,
        "model_type": "ResUNet30",
        "input_channels": 1,
        "output_channels": 1,
        "resume_checkpoint": "",
        "use_text_ratio": 1.0,
    },
    "train": {
        "optimizer": {
            "optimizer_type": "AdamW",
            "learning_rate": "1e-3",
            "warm_up_steps": 10000,
            "reduce_lr_steps": 1000000,
            "lr_lambda_type": "constant_warm_up",
        },
        "num_nodes": 1,
        "num_workers": 6,
        "loss_type": "l1_wav",
        "sync_batchnorm": True,
        "batch_size_per_device": 12,
        "steps_per_epoch": 10000,
        "evaluate_step_frequency": 10000,
        "save_step_frequency": 20000,
        "early_stop_steps": 10000001,
        "random_seed": 1234,
    },
}


def test_every_published_key_is_taken_or_said_to_have_no_meaning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "audiosep_base.yaml").write_text(yaml.safe_dump(PUBLISHED))
    flags = {"partition": Path("p"), "workspace": Path("w")}
    with caplog.at_level(logging.WARNING, "dplass_cli"):
        options = build_options(TrainOptions, tmp_path / "audiosep_base.yaml", (), flags, adopt)
    said = [record.getMessage().split()[0] for record in caplog.records]
    assert set(said) == {
        "task_name", "data.datafiles", "model.query_net", "model.condition_size", "model.model_type",
        "model.input_channels", "model.output_channels", "train.evaluate_step_frequency",
    }  # fmt: skip
    train = options.train
    assert (options.base_checkpoint, options.num_nodes, options.data.segment_seconds) == ("tiny", 1, 5.0)
    assert (train.optimizer.schedule, train.optimizer.learning_rate) == ("constant_warm_up", 1e-3)
    assert (train.max_steps, train.steps_per_epoch, train.save_step_frequency) == (10000001, 10000, 20000)
    assert (train.sync_batchnorm, train.num_workers, train.random_seed) == (True, 6, 1234)
    check_names(train.optimizer)


def test_published_keys_with_values_are_taken(tmp_path: Path) -> None:
    tree = adopt({"model": {"resume_checkpoint": "a.ckpt", "use_text_ratio": 0.5}, "train": {"num_nodes": 2}})
    assert tree == {"base_checkpoint": "a.ckpt", "data": {"use_text_ratio": 0.5}, "num_nodes": 2}


def test_our_own_configuration_stays_as_it_is(tmp_path: Path) -> None:
    root = Path(__file__).parents[2] / "configs"
    for path in root.glob("*.yaml"):
        tree = yaml.safe_load(path.read_text())
        assert adopt(tree) == tree
    (tmp_path / "c.yaml").write_text("train: {optimizer: {learning_rat: 1}}")
    with pytest.raises(InputError, match=r"unknown option 'train.optimizer.learning_rat'; did you mean"):
        build_options(TrainOptions, tmp_path / "c.yaml", (), {}, adopt)
