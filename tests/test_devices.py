"""Which device a process computes on."""

from __future__ import annotations

import pytest
import torch

from dplass_cli.devices import process_device
from dplass_cli.errors import InputError


def test_a_process_takes_its_own_card_or_says_that_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert process_device("cuda") == torch.device("cuda")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert process_device("cuda") == torch.device("cuda:1")
    assert process_device("cpu") == torch.device("cpu")
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(InputError, match="--device cuda:2: this machine shows 2 CUDA devices"):
        process_device("cuda")
