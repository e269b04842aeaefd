"""A small base and a bank over it with random weights, written without training."""

from __future__ import annotations

from pathlib import Path

import torch
from small_networks import loaded, small_network

from dplass_cli.adapters.adapter_folder import AdapterInfo, save_adapter
from dplass_cli.adapters.bank_folder import BankDomain, write_bank
from dplass_cli.encoders import load_encoder
from dplass_cli.models import save_base
from dplass_cli.options.adapter_settings import AdapterSettings
from dplass_cli.options.network_settings import ResUNet30Config

CAPTIONS = {
    0: ("dog bark", "owl hoot"),
    1: ("rain", "helicopter"),
    2: ("siren", "flute"),
}
CONFIG = ResUNet30Config(
    condition_size=128, n_fft=512, hop=320, pre_channels=4, channels=(4, 4), downsample=((2, 2), (1, 2)), stem=(4, 4)
)


def write_small_bank(folder: Path, method: str = "reconv") -> tuple[Path, Path]:
    """Write a random base and a bank of three perturbed adapters over it: (base file, bank folder)."""
    encoder = load_encoder()
    network = small_network(0, CONFIG)
    base, bank = folder / "base.safetensors", folder / "bank"
    save_base(base, network, encoder.fingerprint)
    domains = []
    for number, captions in CAPTIONS.items():
        adapter = loaded(network, AdapterSettings(method), number)
        description = {**vars(adapter.info), "encoder_fingerprint": encoder.fingerprint}
        save_adapter(bank / f"domain{number}", type(adapter)(adapter.layers, {}, AdapterInfo(**description)))
        centroid = torch.nn.functional.normalize(encoder.embed_text(captions).mean(dim=0), dim=0)
        domains.append(BankDomain(number, captions[0], captions, centroid, centroid))
    write_bank(bank, domains, {})
    return base, bank
