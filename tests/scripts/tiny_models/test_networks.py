"""Training the bundled base: a run of some minutes goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from dplass_cli.audio.writing import write_audio
from dplass_cli.models import load_base
from dplass_cli.resources import resource
from dplass_cli.sounds import render
from tiny_models import networks
from tiny_models.clips import Sound, prepare
from tiny_models.kinds import read_kinds

NAMES = ("dog_bark", "rain", "siren")

Train = Callable[..., None]


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    """Trains a small base on three sounds: (work, output, steps, …)."""
    monkeypatch.setattr(networks, "BASE", replace(networks.BASE, pre_channels=2, channels=(2, 2, 2, 2, 2)))
    monkeypatch.setattr(networks, "_SOURCES_PER_KIND", 10)
    kinds, carriers = read_kinds()
    chosen = [next(kind for kind in kinds if name in kind.builtin) for name in NAMES]
    found = []
    for name, kind in zip(NAMES, chosen, strict=True):
        write_audio(tmp_path / f"{name}.wav", render(name, 1, 2.5, 32000)[None], 32000)
        found.append(Sound(str(tmp_path / f"{name}.wav"), name, kind.name, name, ""))
    return partial(networks.train_base, found, chosen, carriers, resource("assets/tiny/encoder.safetensors"))


def test_a_training_that_its_minutes_end_goes_on_at_its_checkpoint(tmp_path: Path, train: Train) -> None:
    output = tmp_path / "base.safetensors"

    def step() -> int:
        state = torch.load(tmp_path / "checkpoints" / "base" / "last.ckpt", weights_only=True)
        return int(state["global_step"])

    train(tmp_path, output, 2, minutes=0.0)
    assert step() == 1
    first = load_base(output).sha256()
    train(tmp_path, output, 2, minutes=60.0)
    assert step() == 2
    assert load_base(output).sha256() != first


def test_a_base_is_trained_further(tmp_path: Path, train: Train) -> None:
    first, further = tmp_path / "base.safetensors", tmp_path / "further.safetensors"
    train(tmp_path / "first", first, 1)
    train(tmp_path / "further", further, 1, start=first)
    before, after = (dict(load_base(path).named_parameters()) for path in (first, further))
    changes = {name: float((after[name] - before[name]).abs().max()) for name in before}
    assert 0.0 < max(changes.values()) < 1e-3  # a step at the beginning of the warm-up, not other weights


def test_copies_do_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    write_audio(folder / "audio" / "a.wav", render("dog_bark", 1, 1.0, 32000)[None], 32000)
    (folder / "clips.csv").write_text("filename,fold,category\na.wav,1,dog_bark\n")
    kinds = [replace(kind, builtin=()) for kind in read_kinds()[0] if "dog_bark" in kind.categories]
    monkeypatch = pytest.MonkeyPatch()
    with monkeypatch.context() as patch:
        patch.setattr("dplass_cli.sounds.CATALOGUE", ())
        one = prepare([folder], kinds, tmp_path / "one", ["1"])
        two = prepare([folder], kinds, tmp_path / "two", ["1"], jobs=2)
    assert [sound.clip for sound in one] == [sound.clip for sound in two] == ["corpus:a"] * 3
    for first, second in zip(one, two, strict=True):
        assert Path(first.wav).read_bytes() == Path(second.wav).read_bytes()
