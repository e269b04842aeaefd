"""Give models a text tower or an audio tower that was trained again to the same anchors; base and adapters stay.

    python scripts/replace_towers.py WORK MODELS [--text WORK/text.pt] [--audio ENCODER]

WORK contains the sounds of ``train_tiny.py`` (``sounds.json``), MODELS the models that it replaces towers of. They
learned from embeddings that are means of the kinds' anchors, whatever sentence led to them, so they serve any tower
with these anchors. The encoder that each file names becomes the new one, and domains get its centroids. Afterwards
``train_tiny.py --stage minilm`` writes the readings of MiniLM for it; the constants of presence and tags are not fitted
again.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dplass_cli.adapters.bank_folder import BankDomain, read_bank, write_bank
from dplass_cli.data.manifest import Row
from dplass_cli.domains.features import caption_features, sorted_rows
from dplass_cli.domains.partition_folder import build_partition
from dplass_cli.encoders import TinyEncoder, load_encoder, save_tiny_encoder
from dplass_cli.models import load_base, save_base
from dplass_cli.storage import read_json, write_json
from tiny_models.clips import prepare
from tiny_models.kinds import read_kinds
from tiny_models.networks import sounds_by_name

LARGEST_DIFFERENCE = 1e-3  # of an anchor's values: those of a file are float16
CALIBRATIONS = ("presence.json", "tagging.json")


def replace_towers(
    models: Path, rows: Sequence[Row], text: dict[str, Tensor] | None = None, audio: dict[str, Tensor] | None = None
) -> TinyEncoder:
    """Write the encoder with new towers, and its fingerprint and centroids into all that belongs to it.

    Args:
        models: folder of the encoder, the base, the bank and the calibrations.
        rows: the sounds of the domains' captions, from which audio centroids are computed.
        text: tensors of the new text tower; None: the old one stays.
        audio: tensors of the new audio tower; None: the old one stays.

    Raises:
        ValueError: the text tower has other anchors than the encoder that it replaces the tower of.
    """
    path = models / "encoder.safetensors"
    encoder = _tiny(path)
    if text is not None:
        anchors = encoder.text.anchors.clone()
        if text["anchors"].shape != anchors.shape or (text["anchors"] - anchors).abs().max() > LARGEST_DIFFERENCE:
            raise ValueError(f"{path}: has other anchors than the new text tower; train the base and adapters again")
        encoder.text.load_state_dict({**text, "anchors": anchors})
    if audio is not None:
        encoder.audio.load_state_dict(audio)
    save_tiny_encoder(path, encoder)
    encoder = _tiny(path)
    save_base(models / "base.safetensors", load_base(models / "base.safetensors"), encoder.fingerprint, torch.float16)
    bank = models / "bank"
    described = {name: value for name, value in read_json(bank / "bank.json").items() if name != "domains"}
    domains = _with_centroids(list(read_bank(bank).values()), rows, encoder)
    write_bank(bank, domains, {**described, "encoder_fingerprint": encoder.fingerprint})
    for adapter in bank.glob("*/adapter.json"):
        write_json(adapter, {**read_json(adapter), "encoder_fingerprint": encoder.fingerprint})
    for name in CALIBRATIONS:
        if (models / name).exists():
            write_json(models / name, {**read_json(models / name), "encoder": encoder.fingerprint})
    return encoder


def _with_centroids(domains: Sequence[BankDomain], rows: Sequence[Row], encoder: TinyEncoder) -> list[BankDomain]:
    """The domains with the centroids of their captions in the space of an encoder."""
    domain_of = {caption: domain.id for domain in domains for caption in domain.captions}
    features = caption_features(sorted_rows(row for row in rows if row.caption in domain_of), encoder)
    clipless = {d.id: [c for c in d.captions if c not in features.captions] for d in domains}
    ids = np.array([domain_of[caption] for caption in features.captions], dtype=np.int64)
    found = build_partition(features, ids, encoder, clipless=clipless, settings={}, seed=0, rows_sha256="")
    rows_of = {domain.id: row for row, domain in enumerate(found.domains)}
    return [
        replace(
            d, text_centroid=found.text_centroids[rows_of[d.id]], audio_centroid=found.audio_centroids[rows_of[d.id]]
        )
        for d in domains
    ]


def _tiny(path: Path) -> TinyEncoder:
    encoder = load_encoder(path)
    assert isinstance(encoder, TinyEncoder)
    return encoder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("models", type=Path)
    parser.add_argument("--text", type=Path, help="text.pt of train_tiny.py --stage text")
    parser.add_argument("--audio", type=Path, help="encoder whose audio tower is taken")
    asked = parser.parse_args()
    kinds, _ = read_kinds()
    encoder = replace_towers(
        asked.models,
        sounds_by_name(prepare([], kinds, asked.work, ()), kinds),
        None if asked.text is None else torch.load(asked.text, weights_only=True),
        None if asked.audio is None else _tiny(asked.audio).audio.state_dict(),
    )
    print(f"{asked.models}: the encoder is now {encoder.fingerprint[:8]}")


if __name__ == "__main__":
    main()
