"""``separate --query auto``: the sounds of a recording are found and separated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dplass_cli.audio.reading import read_audio
from dplass_cli.audio.writing import write_audio
from dplass_cli.errors import InputError
from dplass_cli.options.separate_options import SeparateOptions
from dplass_cli.pipelines.separate import separate
from dplass_cli.sounds import render


def test_the_sounds_that_are_found_are_separated_consistently(tmp_path: Path) -> None:
    mixture = np.concatenate([render("rain", 5, 3.0, 32000), render("siren", 5, 3.0, 32000)])
    write_audio(path := tmp_path / "mix.wav", 0.4 * mixture[None], 32000, "FLOAT")
    said: list[str] = []
    options = SeparateOptions(inputs=(path,), query=("auto",), output=tmp_path / "out", residual=True, device="cpu")
    result = separate(options, note=said.append)
    found = {tag.sound for tag in result.found[str(path)]}
    assert {"rain", "siren"} <= found
    assert {target.query for target in result.written[str(path)]} == found | {"residual"}
    (line,) = said
    assert line.startswith(f"{path}: found ")
    assert all(f"{tag.sound} ({tag.score:.2f})" in line for tag in result.found[str(path)])
    parts = [read_audio(target.path)[0] for target in result.written[str(path)]]
    np.testing.assert_allclose(np.sum(parts, axis=0), 0.4 * mixture[None], atol=1e-3)


def test_a_recording_without_sounds_is_one_line(tmp_path: Path) -> None:
    write_audio(path := tmp_path / "silence.wav", np.zeros((1, 32000), np.float32), 32000)
    options = SeparateOptions(inputs=(path,), query=("auto",), output=tmp_path / "out", device="cpu")
    with pytest.raises(InputError, match=rf"^{path}: no sound reaches --threshold 0\.3; lower it, or describe a sound"):
        separate(options)
    assert not (tmp_path / "out").exists()
