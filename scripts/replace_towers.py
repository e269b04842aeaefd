"""Give models a text tower that was trained again to the same anchors; base and adapters stay as they are.

    python scripts/replace_text_tower.py WORK MODELS

WORK contains ``text.pt`` of ``train_tiny.py --stage text``, MODELS the models that it replaces the tower of. They
learned from embeddings that are means of the kinds' anchors, whatever sentence led to them, so they serve any text
tower with these anchors. The encoder that each file names becomes the new one; the constants of presence and tags are
not fitted again.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from dplass_cli.adapters.bank_folder import read_bank, write_bank
from dplass_cli.domains.partition_folder import mean_direction
from dplass_cli.encoders import TinyEncoder, load_encoder, save_tiny_encoder
from dplass_cli.models import load_base, save_base
from dplass_cli.storage import read_json, write_json

LARGEST_DIFFERENCE = 1e-3  # of an anchor's values: those of a file are float16
CALIBRATIONS = ("presence.json", "tagging.json")


def replace_tower(text: dict[str, torch.Tensor], models: Path) -> TinyEncoder:
    """Write the encoder with the new text tower, and its fingerprint and centroids into all that belongs to it.

    Raises:
        ValueError: the tower has other anchors than the encoder that it replaces the tower of.
    """
    path = models / "encoder.safetensors"
    encoder = load_encoder(path)
    assert isinstance(encoder, TinyEncoder)
    anchors = encoder.text.anchors.clone()
    if text["anchors"].shape != anchors.shape or (text["anchors"] - anchors).abs().max() > LARGEST_DIFFERENCE:
        raise ValueError(f"{path}: has other anchors than the new text tower; train the base and adapters again")
    encoder.text.load_state_dict({**text, "anchors": anchors})
    save_tiny_encoder(path, encoder)
    encoder = load_encoder(path)
    assert isinstance(encoder, TinyEncoder)
    save_base(models / "base.safetensors", load_base(models / "base.safetensors"), encoder.fingerprint, torch.float16)
    bank = models / "bank"
    described = {name: value for name, value in read_json(bank / "bank.json").items() if name != "domains"}
    domains = [
        replace(d, text_centroid=torch.from_numpy(mean_direction(encoder.embed_text(d.captions).numpy())))
        for d in read_bank(bank).values()
    ]
    write_bank(bank, domains, {**described, "encoder_fingerprint": encoder.fingerprint})
    for adapter in bank.glob("*/adapter.json"):
        write_json(adapter, {**read_json(adapter), "encoder_fingerprint": encoder.fingerprint})
    for name in CALIBRATIONS:
        if (models / name).exists():
            write_json(models / name, {**read_json(models / name), "encoder": encoder.fingerprint})
    return encoder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("models", type=Path)
    asked = parser.parse_args()
    encoder = replace_tower(torch.load(asked.work / "text.pt", weights_only=True), asked.models)
    print(f"{asked.models}: the encoder is now {encoder.fingerprint[:8]}")


if __name__ == "__main__":
    main()
