"""The GPU's measurements, of a small network on the CPU."""

from __future__ import annotations

import pytest
from small_banks import CONFIG
from small_networks import small_network

from benchmark import main, table
from benchmarks.gpu import lengths, throughput
from dplass_cli.encoders import load_encoder


def test_every_length_and_precision_is_measured() -> None:
    network = small_network(config=CONFIG)
    found = lengths(network, load_encoder("tiny"), (0.5, 1.0), repeats=1)
    assert found.keys() == {
        f"{precision}_eager_{at}s_real_time_factor" for precision in ("32-true", "bf16-mixed") for at in ("0.5", "1")
    }
    assert all(value > 0 for value in found.values())
    assert network.backbone.runner is None


def test_throughput_is_measured_for_every_batch_size() -> None:
    found = throughput(small_network(config=CONFIG), (1, 2), 0.2, repeats=1)
    assert found.keys() == {
        f"{precision}_batch_{batch}_mixtures_per_s" for precision in ("32-true", "bf16-mixed") for batch in (1, 2)
    }


def test_results_become_a_table() -> None:
    written = table({"machine": "a GPU", "gpu: throughput": {"batch_1": 12.3456, "batch_2": 20.0}})
    assert written.splitlines() == [
        "machine: a GPU  ",
        "",
        "| section | figure | value |",
        "|---|---|---:|",
        "| gpu: throughput | batch_1 | 12.35 |",
        "| gpu: throughput | batch_2 | 20 |",
    ]


def test_a_device_that_is_not_there_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["benchmark.py", "--device", "cuda:99", "--minutes", "9"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("benchmark.py: error: --device cuda:99: torch finds ")
