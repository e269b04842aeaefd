"""Comparing two encoders on the clips of a manifest."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from small_captions import TOWERS, write_clips

from compare_encoders import main, measure
from dplass_cli.data.manifest import read_manifest
from dplass_cli.encoders import TinyEncoder, load_encoder, save_tiny_encoder
from dplass_cli.options.retrieve_options import RetrieveOptions
from dplass_cli.pipelines.retrieve import retrieve


def test_its_means_are_those_of_retrieve(tmp_path: Path) -> None:
    manifest = write_clips(tmp_path)
    save_tiny_encoder(tmp_path / "other.safetensors", TinyEncoder(TOWERS).eval())
    found = measure(read_manifest(manifest), load_encoder(tmp_path / "other.safetensors"))
    options = RetrieveOptions(data=manifest, evaluate=True, encoder=str(tmp_path / "other.safetensors"), device="cpu")
    expected = retrieve(options).evaluation
    assert expected is not None
    assert found["mAP@10"].mean() == pytest.approx(expected.map10)
    assert [found[f"R@{k}"].mean() for k in (1, 5, 10)] == pytest.approx(list(expected.recall.values()))
    assert len(found["own caption nearest to the clip"]) == 8


def test_an_encoder_does_not_differ_from_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save_tiny_encoder(tmp_path / "one.safetensors", TinyEncoder(TOWERS).eval())
    name = str(tmp_path / "one.safetensors")
    monkeypatch.setattr(sys, "argv", ["compare_encoders.py", str(write_clips(tmp_path)), name, name])
    main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 7
    assert all(line.endswith("| 0.0 [0.0, 0.0] |") for line in lines[2:])
