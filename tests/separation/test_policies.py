"""Selection policies: what each chooses, in recordings as in evaluations."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_banks import write_small_bank

from dplass_cli import Separator
from dplass_cli.audio.writing import write_audio
from dplass_cli.errors import InputError
from dplass_cli.separation.loading import Models, load_models
from dplass_cli.separation.policies import Choice, DomainTexts, make_policy

KEYS = ["domain0", "domain1", "domain2"]


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_small_bank(tmp_path_factory.mktemp("bank"))


@pytest.fixture(scope="module")
def models(bank: tuple[Path, Path]) -> Models:
    return load_models(bank[0], "tiny", [bank[1]])


def choice(models: Models, query: str, **seen: Any) -> Choice:
    return Choice(models.encoder.embed_text([query])[0], models.bank, DomainTexts(models.bank, models.encoder), **seen)


def test_texts_choose_their_own_domain(models: Models) -> None:
    for name in ("text", "text-knn", "text-knn:1"):
        for query, key in {"rain": "domain1", "flute": "domain2", "dog bark": "domain0"}.items():
            assert make_policy(name).choose(choice(models, query)) == key


def test_neighbours_vote(models: Models) -> None:
    asked = choice(models, "flute")
    cosines = asked.texts.captions @ asked.query.double().numpy()
    votes = dict.fromkeys(KEYS, 0.0)
    for caption in np.argsort(-cosines)[:4]:
        votes[KEYS[asked.texts.owners[caption]]] += cosines[caption]
    assert make_policy("text-knn:4").choose(asked) == max(votes, key=votes.__getitem__)
    with pytest.raises(InputError, match="such as text-knn:5"):
        make_policy("text-knn:0")


def test_blend_weighs_by_probability(models: Models) -> None:
    weights = make_policy("blend").choose(choice(models, "rain"))
    assert isinstance(weights, dict)
    assert list(weights) == KEYS
    assert sum(weights.values()) == pytest.approx(1.0)
    assert max(weights, key=weights.__getitem__) == "domain1"


def test_what_looks_at_outputs_takes_the_largest(models: Models) -> None:
    seen = {"domain0": 0.1, "domain1": 0.3, "domain2": 0.3}
    assert make_policy("audio").choose(choice(models, "rain", similarities=seen)) == "domain1"
    assert make_policy("oracle").choose(choice(models, "rain", scores=seen)) == "domain1"
    with pytest.raises(InputError, match="--select audio: needs adapters"):
        make_policy("audio").choose(choice(models, "rain", similarities={}))
    with pytest.raises(InputError, match="did you mean 'text-knn'"):
        make_policy("text-kn")


def test_audio_listens_to_every_adapter_of_a_recording(bank: tuple[Path, Path], clips: dict[str, Path]) -> None:
    listening, singles = (
        Separator.from_pretrained(bank[0], "tiny", bank[1], policy=policy, device="cpu") for policy in ("audio", "base")
    )
    mixture = np.random.default_rng(0).normal(0, 0.1, (2, 40000)).astype(np.float32)
    target = listening(mixture, 32000, ["rain"])["rain"]
    query = singles.encoder.embed_text(["rain"])[0]
    outputs = {}
    for key in KEYS:
        singles.policy = make_policy(f"single:{key}")
        outputs[key] = singles(mixture, 32000, ["rain"])["rain"]
    heard = {
        key: float(singles.encoder.embed_audio(torch.from_numpy(output).mean(dim=0)[None], 32000)[0] @ query)
        for key, output in outputs.items()
    }
    np.testing.assert_array_equal(target, outputs[max(heard, key=heard.__getitem__)])


def test_blend_serves_recordings_and_says_so(bank: tuple[Path, Path], tmp_path: Path) -> None:
    separator = Separator.from_pretrained(bank[0], "tiny", bank[1], policy="blend", device="cpu")
    audio = np.random.default_rng(0).normal(0, 0.1, (1, 20000)).astype(np.float32)
    write_audio(tmp_path / "a.wav", audio, 32000, "FLOAT")
    written = separator.separate_file(tmp_path / "a.wav", ["rain", "flute"], tmp_path / "out")
    weights = [target.adapter for target in written]
    assert all(isinstance(weight, dict) for weight in weights)
    assert weights[0] != weights[1]


def test_what_is_not_linear_cannot_be_blended(tmp_path: Path) -> None:
    base, bank = write_small_bank(tmp_path, "conv-adapter")
    separator = Separator.from_pretrained(base, "tiny", bank, policy="blend", device="cpu")
    with pytest.raises(InputError, match="cannot be blended; activate it alone"):
        separator(np.zeros((1, 9000), dtype=np.float32), 32000, ["rain"])


def test_contrast_chooses_as_another_policy(models: Models) -> None:
    assert make_policy("contrast:text").choose(choice(models, "rain")) == "domain1"
    assert make_policy("contrast").choose(choice(models, "rain")) is None  # no adapter of this bank is proven
    assert make_policy("contrast:base").choose(choice(models, "rain")) is None
    assert make_policy("contrast:single:2").choose(choice(models, "rain")) == "domain2"
    for wrong in ("contrast:audio", "contrast:oracle", "contrast:contrast"):
        with pytest.raises(InputError, match="takes a policy that goes by the query, such as contrast:text"):
            make_policy(wrong)


def test_adapters_serve_where_they_are_proven(bank: tuple[Path, Path], tmp_path: Path) -> None:
    folder = tmp_path / "bank"
    shutil.copytree(bank[1], folder)
    described = json.loads((folder / "bank.json").read_text())
    for entry, gain in zip(described["domains"], (0.3, -0.2, 0.0), strict=True):
        entry["gain_db"] = gain
    (folder / "bank.json").write_text(json.dumps(described))
    models = load_models(bank[0], "tiny", [folder])
    for name in ("proven", "contrast"):
        chosen = [make_policy(name).choose(choice(models, query)) for query in ("dog bark", "rain", "flute")]
        assert chosen == ["domain0", None, None]
