"""The names that the package offers, and what interactive sessions show of them."""

from __future__ import annotations

import subprocess
import sys

import dplass_cli
from dplass_cli import AdapterBank, load_base, load_encoder

NAMES = ["AdapterBank", "Separator", "__version__", "load_base", "load_encoder"]


def test_completion_lists_the_public_names_before_they_are_imported() -> None:
    listed = "import sys, dplass_cli; print(sorted(dir(dplass_cli)), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", listed], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{NAMES} False"


def test_every_listed_name_can_be_used() -> None:
    assert all(hasattr(dplass_cli, name) for name in NAMES)


def test_models_show_what_they_are_in_one_line() -> None:
    base = load_base("tiny")
    bank = AdapterBank(base)
    bank.load("tiny")
    bank.activate("domain1")
    domains = [f"domain{number}" for number in range(7)]
    assert repr(base) == "ResUNet30('tiny', 7.9 M parameters, 32000 Hz, condition_size=128)"
    assert repr(bank) == f"AdapterBank(base='tiny', adapters={domains}, active='domain1')"
    assert repr(load_encoder("tiny")) == "TinyEncoder(size=128, 32000 Hz, 186 kinds of sound)"
