"""``train --what encoder``: what is trained, written, validated and resumed."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_captions import KINDS, TOWERS, encoder_options, write_clips

from dplass_cli.data.manifest import read_manifest
from dplass_cli.encoders import ProjectedEncoder, TinyEncoder, load_encoder, save_tiny_encoder
from dplass_cli.errors import InputError
from dplass_cli.options.retrieve_options import RetrieveOptions
from dplass_cli.options.train_options import TrainOptions
from dplass_cli.pipelines.retrieve import retrieve
from dplass_cli.pipelines.train import train
from dplass_cli.training.contrastive.encoder_run import EncoderRun


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clips(tmp_path_factory.mktemp("clips"))


def over_tiny(options: TrainOptions) -> TrainOptions:
    """Options of heads over the bundled encoder."""
    return replace(options, towers=None, contrastive=replace(options.contrastive, parts="heads", head_hidden=4))


def test_five_captions_per_clip_bring_the_loss_down(manifest: Path, tmp_path: Path) -> None:
    result = train(encoder_options(manifest, tmp_path / "run", epochs=3, captions_per_clip=5, augment=False))
    assert result.output == tmp_path / "run" / "encoder.safetensors"
    assert result.network is not None
    assert result.network.validation_mixtures == 8
    rows = list(csv.DictReader((tmp_path / "run" / "metrics.csv").read_text().splitlines()))
    assert len(rows) == 3
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])
    assert float(rows[result.network.best_epoch or 0]["val_map10"]) == pytest.approx(
        result.network.retrieval["map10"], abs=1e-6
    )


@pytest.mark.parametrize("heads", [False, True])
def test_validation_is_that_of_retrieve(manifest: Path, tmp_path: Path, heads: bool) -> None:
    options = encoder_options(manifest, tmp_path / "run", epochs=1)
    result = train(over_tiny(options) if heads else options)
    found = retrieve(RetrieveOptions(data=manifest, evaluate=True, encoder=str(result.output), device="cpu"))
    assert found.evaluation is not None
    assert result.network is not None
    measured = {"map10": found.evaluation.map10, **{f"recall{k}": v for k, v in found.evaluation.recall.items()}}
    assert result.network.retrieval == pytest.approx(measured, abs=1e-6)


def test_a_resumed_run_has_the_weights_of_an_uninterrupted_one(manifest: Path, tmp_path: Path) -> None:
    whole = train(encoder_options(manifest, tmp_path / "whole"))
    train(encoder_options(manifest, tmp_path / "cut", epochs=1))
    resumed = train(replace(encoder_options(manifest, tmp_path / "cut"), resume=True))
    assert resumed.network is not None
    assert resumed.network.steps == 4
    states = [
        torch.load(tmp_path / run / "checkpoints" / "encoder" / "last.ckpt", weights_only=True)["state_dict"]
        for run in ("whole", "cut")
    ]
    assert "network.log_scale" in states[0]
    torch.testing.assert_close(states[1], states[0], rtol=1e-6, atol=1e-8)
    assert whole.network is not None
    assert resumed.network.retrieval == pytest.approx(whole.network.retrieval)


def test_a_share_of_the_clips_is_held_out_and_written(manifest: Path, tmp_path: Path) -> None:
    options = encoder_options(manifest, tmp_path / "run", epochs=1, validation=None, validation_share=0.3)
    (planned,) = train(replace(options, dry_run=True)).plan
    assert not (tmp_path / "run").exists()
    assert planned.rows + planned.validation_mixtures == 2 * len(KINDS)
    train(options)
    held = {row.wav for row in read_manifest(tmp_path / "run" / "validation.json")}
    assert len(held) == planned.validation_mixtures > 0


def test_without_validation_the_last_weights_are_the_result(manifest: Path, tmp_path: Path) -> None:
    result = train(encoder_options(manifest, tmp_path / "run", epochs=1, validation=None, validation_share=0.0))
    assert result.network is not None
    assert (result.network.retrieval, result.network.best_epoch) == ({}, None)
    assert (
        load_encoder(result.output).fingerprint == load_encoder(tmp_path / "run/encoder_last.safetensors").fingerprint
    )


def test_new_heads_leave_the_encoder_as_it_is_and_trained_ones_do_not(manifest: Path, tmp_path: Path) -> None:
    options = over_tiny(encoder_options(manifest, tmp_path / "run", epochs=1))
    tiny = load_encoder()
    untrained = EncoderRun(options)._encoder
    torch.testing.assert_close(untrained.embed_text(["a dog"]), tiny.embed_text(["a dog"]))
    trained = load_encoder(train(options).output)
    assert isinstance(trained, ProjectedEncoder)
    assert (trained.embed_text(["a dog"]) - tiny.embed_text(["a dog"])).abs().max() > 1e-4
    assert trained.fingerprint != tiny.fingerprint


def test_the_same_seed_draws_the_same_towers(manifest: Path, tmp_path: Path) -> None:
    one, two = (EncoderRun(encoder_options(manifest, tmp_path / name))._encoder for name in ("a", "b"))
    assert one.fingerprint == two.fingerprint


def test_the_audio_tower_alone_is_trained_to_the_sentences_of_its_encoder(manifest: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    given = TinyEncoder(TOWERS)
    save_tiny_encoder(tmp_path / "given.safetensors", given, torch.float32)
    options = encoder_options(manifest, tmp_path / "run", epochs=6, parts="audio", augment=False, average=0.5)
    result = train(replace(options, towers=None, encoder=str(tmp_path / "given.safetensors")))
    trained = load_encoder(result.output)
    assert isinstance(trained, TinyEncoder)
    for name, tensor in given.text.state_dict().items():
        assert torch.equal(trained.text.state_dict()[name], tensor)
    rows = list(csv.DictReader((tmp_path / "run" / "metrics.csv").read_text().splitlines()))
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])


def test_loaded_towers_are_trained_with_the_statistics_of_the_batches(manifest: Path, tmp_path: Path) -> None:
    given = TinyEncoder(TOWERS).eval()
    save_tiny_encoder(tmp_path / "given.safetensors", given, torch.float32)
    options = encoder_options(manifest, tmp_path / "run", epochs=1)
    result = train(replace(options, towers=None, encoder=str(tmp_path / "given.safetensors")))
    trained = load_encoder(result.output)
    assert isinstance(trained, TinyEncoder)
    assert not torch.equal(trained.audio.body[1].running_mean, given.audio.body[1].running_mean)


def test_averaged_weights_are_validated_and_written(manifest: Path, tmp_path: Path) -> None:
    options = encoder_options(manifest, tmp_path / "run", epochs=1, average=0.9)
    result = train(options)
    found = retrieve(RetrieveOptions(data=manifest, evaluate=True, encoder=str(result.output), device="cpu"))
    assert found.evaluation is not None
    assert result.network is not None
    assert result.network.retrieval["map10"] == pytest.approx(found.evaluation.map10, abs=1e-6)
    state = torch.load(tmp_path / "run" / "checkpoints" / "encoder" / "last.ckpt", weights_only=True)["state_dict"]
    written = load_encoder(result.output).state_dict()["audio.project.3.weight"]
    assert int(state["network.average.updates"]) == 2
    assert torch.equal(written, state["network.average.encoder/audio/project/3/weight"])
    assert not torch.equal(written, state["network.encoder.audio.project.3.weight"])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"partition": Path(__file__).parent}, "is a folder; --what encoder needs a manifest"),
        ({"parts": "heads"}, "contrastive.parts heads: cannot be trained with new towers"),
        ({"parts": "audio"}, "contrastive.parts audio: cannot be trained with new towers"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    manifest: Path, tmp_path: Path, changed: dict[str, object], message: str
) -> None:
    options = encoder_options(manifest, tmp_path / "run")
    if "parts" in changed:
        options = replace(options, contrastive=replace(options.contrastive, **changed))  # type: ignore[arg-type]
    else:
        options = replace(options, **changed)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=message):
        train(options)
    assert not (tmp_path / "run").exists()
