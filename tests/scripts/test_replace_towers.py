"""Models with a text tower that was trained again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from dplass_cli.encoders import TinyEncoder, load_encoder
from dplass_cli.options.model_options import ModelSpec
from dplass_cli.separation.loading import load_models
from replace_text_tower import replace_tower

BUNDLED = Path(__file__).parents[2] / "dplass_cli" / "assets" / "tiny"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BUNDLED, tmp_path / "models"))


@pytest.fixture
def text() -> dict[str, torch.Tensor]:
    encoder = load_encoder("tiny")
    assert isinstance(encoder, TinyEncoder)
    return {name: tensor.clone() for name, tensor in encoder.text.state_dict().items()}


def test_everything_belongs_to_the_new_encoder_and_only_reads_sentences_differently(
    models: Path, text: dict[str, torch.Tensor]
) -> None:
    before = load_models()
    text["project.0.weight"][0] += 0.5
    encoder = replace_tower(text, models)
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


def test_other_anchors_are_refused_and_nothing_is_written(models: Path, text: dict[str, torch.Tensor]) -> None:
    whole = (models / "encoder.safetensors").read_bytes()
    text["anchors"] = text["anchors"].roll(1, dims=0)
    with pytest.raises(ValueError, match="has other anchors than the new text tower"):
        replace_tower(text, models)
    assert (models / "encoder.safetensors").read_bytes() == whole
