"""Models with towers that were trained again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from dplass_cli.audio.writing import write_audio
from dplass_cli.data.manifest import Row
from dplass_cli.encoders import TinyEncoder, load_encoder
from dplass_cli.options.model_options import ModelSpec
from dplass_cli.separation.loading import load_models
from dplass_cli.sounds import render
from replace_towers import replace_towers

BUNDLED = Path(__file__).parents[2] / "dplass_cli" / "assets" / "tiny"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BUNDLED, tmp_path / "models"))


@pytest.fixture
def rows(tmp_path: Path) -> list[Row]:
    path = tmp_path / "rain.wav"
    write_audio(path, render("rain", 1, 2.0, 32000)[None], 32000)
    return [Row(path, "rain")]


@pytest.fixture
def text() -> dict[str, torch.Tensor]:
    encoder = load_encoder("tiny")
    assert isinstance(encoder, TinyEncoder)
    return {name: tensor.clone() for name, tensor in encoder.text.state_dict().items()}


def test_everything_belongs_to_the_new_encoder_and_only_reads_sentences_differently(
    models: Path, rows: list[Row], text: dict[str, torch.Tensor]
) -> None:
    before = load_models()
    text["project.0.weight"][0] += 0.5
    encoder = replace_towers(models, rows, text)
    after = load_models(
        ModelSpec(base=models / "base.safetensors", encoder=models / "encoder.safetensors", adapters=(models / "bank",))
    )
    assert after.encoder.fingerprint == encoder.fingerprint != before.encoder.fingerprint
    assert after.network.sha256() == before.network.sha256() == after.bank.base_sha256
    assert not torch.equal(after.encoder.embed_text(["a dog"]), before.encoder.embed_text(["a dog"]))
    noise = torch.randn(1, 16000, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(after.encoder.embed_audio(noise, 32000), before.encoder.embed_audio(noise, 32000))
    captions = next(iter(after.bank.domains.values())).captions
    centroid = torch.nn.functional.normalize(after.encoder.embed_text(captions).mean(dim=0), dim=0)
    torch.testing.assert_close(next(iter(after.bank.domains.values())).text_centroid, centroid)


def test_a_new_audio_tower_moves_the_audio_centroids_only(models: Path, rows: list[Row]) -> None:
    before = load_models()
    assert isinstance(before.encoder, TinyEncoder)
    audio = {name: tensor.clone() for name, tensor in before.encoder.audio.state_dict().items()}
    audio["project.0.weight"][0] += 0.5
    encoder = replace_towers(models, rows, audio=audio)
    after = load_models(
        ModelSpec(base=models / "base.safetensors", encoder=models / "encoder.safetensors", adapters=(models / "bank",))
    )
    assert after.encoder.fingerprint == encoder.fingerprint != before.encoder.fingerprint
    assert torch.equal(after.encoder.embed_text(["a dog"]), before.encoder.embed_text(["a dog"]))
    noise = torch.randn(1, 16000, generator=torch.Generator().manual_seed(1))
    assert not torch.equal(after.encoder.embed_audio(noise, 32000), before.encoder.embed_audio(noise, 32000))
    ((key, domain),) = ((key, d) for key, d in after.bank.domains.items() if "rain" in d.captions)
    rain = torch.from_numpy(render("rain", 1, 2.0, 32000))[None]
    heard = after.encoder.embed_audio(rain, 32000)[0]
    torch.testing.assert_close(domain.audio_centroid, heard, atol=1e-3, rtol=1e-3)  # the file has 16 bits
    torch.testing.assert_close(domain.text_centroid, before.bank.domains[key].text_centroid)


def test_other_anchors_are_refused_and_nothing_is_written(models: Path, text: dict[str, torch.Tensor]) -> None:
    whole = (models / "encoder.safetensors").read_bytes()
    text["anchors"] = text["anchors"].roll(1, dims=0)
    with pytest.raises(ValueError, match="has other anchors than the new text tower"):
        replace_towers(models, [], text)
    assert (models / "encoder.safetensors").read_bytes() == whole
