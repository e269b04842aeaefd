"""Validation mixtures as a dataset."""

from __future__ import annotations

from pathlib import Path

import torch
from small_jobs import RATE, corpus

from dplass_cli.data.mixture_tables import render


def test_items_are_the_rendered_mixtures_of_all_domains(tmp_path: Path) -> None:
    data = corpus(tmp_path)
    validation = data.validation([0, 1])
    assert len(validation) == 4
    mixture, target = render(data.mixtures[1][0], RATE)
    item = validation[2]
    assert torch.equal(item["mixture"], torch.from_numpy(mixture))
    assert torch.equal(item["target"], torch.from_numpy(target))
    assert item["domain"] == 1


def test_a_mixture_is_rendered_once(tmp_path: Path) -> None:
    validation = corpus(tmp_path).validation([0])
    first = validation[0]
    for path in tmp_path.glob("*.wav"):
        path.unlink()
    assert validation[0] is first
