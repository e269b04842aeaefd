"""The Lightning module: batch norm, checkpoints, the loss of each step, unreadable files, validation scores."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from small_jobs import RATE, adapters_on, corpus, settings
from small_networks import SMALL, small_lasaft, small_network

from dplass_cli.adapters.injection import statistics_of
from dplass_cli.audio.level import near_level
from dplass_cli.data.batches import EpochBatches
from dplass_cli.data.mixer import mix
from dplass_cli.data.samples import Batch, TrainingSamples, collate
from dplass_cli.errors import InputError, RunError
from dplass_cli.evaluation.metrics import batch_scores
from dplass_cli.models import BaseModel
from dplass_cli.options.data_settings import DataSettings
from dplass_cli.training.corpus import ValidationMixtures
from dplass_cli.training.job import TrainingJob
from dplass_cli.training.job_module import NotFinite
from dplass_cli.training.module import SeparationModule
from dplass_cli.training.optimizers import PLATEAU


@pytest.fixture
def samples(tmp_path: Path) -> TrainingSamples:
    return corpus(tmp_path).samples([0])


@pytest.fixture
def network() -> BaseModel:
    """A base with trainable adapters."""
    network = small_network()
    adapters_on(network)
    return network


def module(network: BaseModel, max_bad_files: int = 20, world: int = 1, **more: Any) -> SeparationModule:
    """A module whose metrics go nowhere, since it has no trainer."""
    samples: Any = SimpleNamespace(settings=DataSettings(max_bad_files=max_bad_files))
    no_validation = ValidationMixtures({}, {}, RATE)
    job = TrainingJob("domain0", network, samples, no_validation, lambda which, trained: None, **more)
    made = SeparationModule(job, EpochBatches(4, 2, world=world), settings())
    made.log = lambda *arguments, **named: None  # type: ignore[method-assign]
    return made


def batch_of(samples: TrainingSamples) -> Batch:
    return collate([samples[0], samples[1]])


def checkpoint_of(made: SeparationModule, epochs: int = 1) -> dict[str, Any]:
    """A checkpoint as Lightning hands it to the module."""
    checkpoint: dict[str, Any] = {
        "state_dict": made.state_dict(),
        "loops": {"fit_loop": {"epoch_progress": {"total": {"completed": epochs}}}},
    }
    made.on_save_checkpoint(checkpoint)
    return checkpoint


def test_the_loss_compares_the_estimate_with_the_mixed_target(network: BaseModel, samples: TrainingSamples) -> None:
    made = module(network)
    batch = batch_of(samples)
    mixture, target = mix(batch.target, batch.interferers, batch.gains_db, batch.noise_gain_db)
    loss = made.training_step(batch, 0).detach()
    with torch.no_grad():
        estimate = network(mixture[:, None], batch.condition)[:, 0]
    torch.testing.assert_close(loss, (estimate - target).abs().mean())


def test_a_network_with_an_input_level_hears_mixtures_near_it(samples: TrainingSamples) -> None:
    network = small_network(config=replace(SMALL, input_level_db=-70.0))
    adapters_on(network)
    heard: list[torch.Tensor] = []
    network.register_forward_pre_hook(lambda _, arguments: heard.append(arguments[0]))
    batch = batch_of(samples)
    mixture, target = mix(batch.target, batch.interferers, batch.gains_db, batch.noise_gain_db)
    made = module(network)
    loss = made.training_step(batch, 0).detach()
    offset, gain = near_level(mixture, RATE, -70.0)
    assert (gain < 0.1).all()
    torch.testing.assert_close(heard[0][:, 0], (mixture - offset) * gain)
    with torch.no_grad():
        estimate = network(heard[0], batch.condition)[:, 0]
    torch.testing.assert_close(loss, (estimate - target * gain).abs().mean())
    made.on_validation_epoch_start()
    made.validation_step(
        {"mixture": mixture, "target": target, "condition": batch.condition, "domain": torch.zeros(2)}, 0
    )
    exactly = near_level(mixture, RATE, -70.0, range_db=0.0)
    torch.testing.assert_close(heard[-1][:, 0], (mixture - exactly[0]) * exactly[1])


def test_a_teacher_gives_the_targets(network: BaseModel, samples: TrainingSamples) -> None:
    taught: list[torch.Tensor] = []

    def teacher(mixture: torch.Tensor, condition: torch.Tensor, domain: torch.Tensor) -> torch.Tensor:
        taught.append(domain)
        with torch.no_grad():
            return network(mixture, condition)

    loss = module(network, teacher=teacher).training_step(batch_of(samples), 0)
    assert float(loss.detach()) == pytest.approx(0.0, abs=1e-6)
    assert taught[0].tolist() == [0, 0]


def test_the_true_target_has_its_share_of_a_student_s_loss(network: BaseModel, samples: TrainingSamples) -> None:
    def silent(mixture: torch.Tensor, condition: torch.Tensor, domain: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(mixture)

    def loss(**taught: Any) -> float:
        return float(module(network, **taught).training_step(batch_of(samples), 0).detach())

    true, teacher = loss(), loss(teacher=silent)
    assert loss(teacher=silent, target_share=0.25) == pytest.approx(0.25 * true + 0.75 * teacher, rel=1e-5)


@pytest.mark.parametrize("adapt", [False, True])
def test_batch_norm_follows_the_setting(network: BaseModel, samples: TrainingSamples, adapt: bool) -> None:
    made = module(network, adapt_batchnorm=adapt)
    network.train(not adapt)
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    made.on_train_batch_start(batch_of(samples), 0)
    made.training_step(batch_of(samples), 0)
    changed = [name for name, buffer in network.named_buffers() if not torch.equal(buffer, before[name])]
    assert bool(changed) == adapt


def test_a_loss_is_checked_one_step_late(network: BaseModel, samples: TrainingSamples) -> None:
    made = module(network)
    first = made.training_step(batch_of(samples), 0)
    assert made.last_loss is None
    made.training_step(batch_of(samples), 0)
    assert made.last_loss == float(first.detach())


def test_a_loss_that_is_not_finite_names_the_samples(network: BaseModel, samples: TrainingSamples) -> None:
    made = module(network)
    made.training_step(batch_of(samples)._replace(condition=torch.full((2, 8), torch.nan)), 0)
    with pytest.raises(NotFinite, match="the loss is not finite at step 0") as raised:
        made.check_loss()
    assert raised.value.numbers == [0, 1]
    made.check_loss()  # raised once


def test_too_many_distinct_unreadable_files_stop_the_run(network: BaseModel, samples: TrainingSamples) -> None:
    made = module(network, max_bad_files=1)
    batch = batch_of(samples)
    for _ in range(2):  # the same file again does not count
        made.training_step(batch._replace(unreadable=(("a.wav", "a.wav: empty"),)), 0)
    with pytest.raises(RunError, match=r"2 files cannot be read \(data.max_bad_files is 1\): a.wav: empty, b.wav"):
        made.training_step(batch._replace(unreadable=(("b.wav", "b.wav: gone"),)), 0)


def test_a_checkpoint_contains_trained_tensors_only(network: BaseModel) -> None:
    state = checkpoint_of(module(network))["state_dict"]
    trainable = {f"network.{name}" for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert state.keys() == trainable


def test_a_checkpoint_with_adapted_batch_norm_contains_the_statistics(network: BaseModel) -> None:
    state = checkpoint_of(module(network, adapt_batchnorm=True))["state_dict"]
    assert {f"network.{name}" for name in statistics_of(network)} <= state.keys()


def test_weights_that_are_not_finite_are_not_saved(network: BaseModel) -> None:
    parameter = next(parameter for parameter in network.parameters() if parameter.requires_grad)
    parameter.data.fill_(torch.inf)
    with pytest.raises(RunError, match=r"is not finite after step 0; start again in another --workspace"):
        checkpoint_of(module(network))


def test_loading_completes_a_checkpoint_with_the_frozen_tensors(network: BaseModel) -> None:
    made = module(network)
    made.bad_files["a.wav"] = "empty"
    checkpoint, resumed = checkpoint_of(made), module(network)
    resumed.on_load_checkpoint(checkpoint)
    assert checkpoint["state_dict"].keys() == resumed.state_dict().keys()
    assert resumed.bad_files == {"a.wav": "empty"}


def test_another_global_batch_size_cannot_resume(network: BaseModel) -> None:
    checkpoint = checkpoint_of(module(network))
    other = module(network, world=2)
    with pytest.raises(InputError, match="uses 2 items per step over all devices, not 4"):
        other.on_load_checkpoint(checkpoint)


def test_more_epochs_than_requested_cannot_resume(network: BaseModel) -> None:
    checkpoint = checkpoint_of(module(network), epochs=3)
    with pytest.raises(InputError, match=r"completed 3 epochs, more than train.max_epochs 2"):
        module(network).on_load_checkpoint(checkpoint)


def test_only_what_requires_a_gradient_is_optimised(network: BaseModel) -> None:
    optimizer = module(network).configure_optimizers()
    optimised = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    assert optimised == {id(parameter) for parameter in network.parameters() if parameter.requires_grad}


def test_the_plateau_schedule_steps_at_the_end_of_an_epoch(network: BaseModel) -> None:
    made = module(network)
    made.settings = replace(made.settings, optimizer=replace(made.settings.optimizer, patience=0))
    assert made.settings.optimizer.schedule == PLATEAU
    optimizer = made.configure_optimizers()
    made._trainer = SimpleNamespace(world_size=1, callback_metrics={"val_sdri": torch.tensor(1.0)})  # type: ignore[assignment]
    for factor in (1.0, 0.7):  # the second epoch is not better
        made.on_train_epoch_end()
        assert optimizer.param_groups[0]["lr"] == pytest.approx(1e-2 * factor)


def test_validation_scores_are_means_over_items_with_a_target(network: BaseModel) -> None:
    made = module(network)
    logged: dict[str, float] = {}
    made.log = lambda name, value, **named: logged.update({name: float(value)})  # type: ignore[method-assign]
    generator = torch.Generator().manual_seed(0)
    target, noise = torch.randn(3, 2000, generator=generator), torch.randn(3, 2000, generator=generator)
    target[2] = 0.0
    batch = {
        "mixture": target + noise,
        "target": target,
        "condition": torch.randn(3, 8, generator=generator),
        "domain": torch.tensor([0, 1, 1]),
    }
    made.on_validation_epoch_start()
    with torch.no_grad():
        made.validation_step(batch, 0)
        estimate = network(batch["mixture"][:, None], batch["condition"])[:, 0]
    made.on_validation_epoch_end()
    sdri = batch_scores(target, estimate)[0] - batch_scores(target, batch["mixture"])[0]
    assert logged["val_sdri"] == pytest.approx(float(sdri[:2].mean()), abs=1e-4)
    assert logged["val_sdri/domain1"] == pytest.approx(float(sdri[1]), abs=1e-4)
    assert len(made.examples) == 3
    made.on_validation_epoch_start()
    with torch.no_grad():
        made.validation_step({name: values[2:] for name, values in batch.items()}, 0)
    made.on_validation_epoch_end()
    assert math.isnan(logged["val_sdri"])  # 0 dB would be the score of a separation


def test_a_stereo_network_trains_on_channels_mixed_together(tmp_path: Path) -> None:
    network = small_lasaft()
    adapters_on(network)
    samples = corpus(tmp_path).samples([0], channels=2)
    batch = batch_of(samples)
    sides = torch.tensor([1.0, 0.25])[:, None]  # a target on the left, an interferer on the right
    batch = batch._replace(target=batch.target * sides, interferers=batch.interferers * sides.flip(0))
    gains = batch.gains_db, batch.noise_gain_db
    flat = mix(batch.target.flatten(1), batch.interferers.flatten(2), *gains)
    mixture, target = (audio.unflatten(1, (2, -1)) for audio in flat)
    assert not torch.allclose(mixture[:, 0], mixture[:, 1])
    loss = module(network).training_step(batch, 0).detach()
    with torch.no_grad():
        torch.testing.assert_close(loss, (network(mixture, batch.condition) - target).abs().mean())
