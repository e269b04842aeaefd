"""The measurements of long files, of a small network."""

from __future__ import annotations

from small_banks import CONFIG
from small_networks import small_network

from benchmarks.long_files import WINDOWS, long_files
from benchmarks.separating import backends
from dplass_cli.encoders import load_encoder
from dplass_cli.separation.bank import AdapterBank
from dplass_cli.separation.policies import make_policy
from dplass_cli.separation.separator import Separator


def test_every_length_and_choice_of_windows_is_measured_with_every_backend() -> None:
    network = small_network(config=CONFIG)
    separator = Separator(AdapterBank(network), load_encoder("tiny"), make_policy("base"))
    found = long_files({"base": separator}, (0.5, 1.0), repeats=1)
    expected = {
        f"{backend}_base_{at}s_{windows}_of_bare_forward"
        for backend in backends(network)
        for at in ("0.5", "1")
        for windows in WINDOWS
    } | {f"{backend}_bare_forward_real_time_factor" for backend in backends(network)}
    assert found.keys() == expected
    assert all(value > 0 for value in found.values())
