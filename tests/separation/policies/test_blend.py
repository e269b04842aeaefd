"""``blend``: all adapters, weighted by the probabilities of their domains."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_choices import choice
from small_banks import write_small_bank

from dplass_cli import Separator
from dplass_cli.audio.writing import write_audio
from dplass_cli.errors import InputError
from dplass_cli.separation.policies import make_policy


def test_the_weights_are_the_probabilities_of_the_domains() -> None:
    assert make_policy("blend").choose(choice()) == {"domain0": 0.7, "domain1": 0.2, "domain2": 0.1}


def test_the_weights_that_served_a_target_are_reported(small_bank: tuple[Path, Path], tmp_path: Path) -> None:
    separator = Separator.from_pretrained(small_bank[0], "tiny", small_bank[1], policy="blend", device="cpu")
    audio = np.random.default_rng(0).normal(0, 0.1, (1, 20000)).astype(np.float32)
    write_audio(tmp_path / "a.wav", audio, 32000, "FLOAT")
    written = separator.separate_file(tmp_path / "a.wav", ["rain", "flute"], tmp_path / "out")
    weights = [target.adapter for target in written]
    assert all(isinstance(weight, dict) and sum(weight.values()) == pytest.approx(1.0) for weight in weights)
    assert weights[0] != weights[1]


def test_adapters_that_are_not_weight_deltas_cannot_be_blended(tmp_path: Path) -> None:
    base, bank = write_small_bank(tmp_path, "conv-adapter")
    separator = Separator.from_pretrained(base, "tiny", bank, policy="blend", device="cpu")
    with pytest.raises(InputError, match=r"'domain0' .conv-adapter. is not a weight delta and cannot be blended"):
        separator(np.zeros((1, 9000), dtype=np.float32), 32000, ["rain"])
