"""``domains``: asking a partition about new sentences, and comparing two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dplass_cli.devices import choose_device
from dplass_cli.domains.agreement import PartitionAgreement, compare
from dplass_cli.domains.assignment import domain_probabilities, fit_temperature
from dplass_cli.domains.features import text_features
from dplass_cli.domains.partition_folder import read_partition
from dplass_cli.encoders import load_encoder
from dplass_cli.errors import InputError


@dataclass(frozen=True)
class Assigned:
    """A sentence's domain, the probability of each domain by id, and the caption that it is most like."""

    sentence: str
    domain: int
    name: str
    probabilities: dict[int, float]
    nearest_caption: str


def assign_sentences(
    sentences: Sequence[str],
    partition: Path,
    encoder: str = "tiny",
    tokenizer: Path | None = None,
    device: str = "auto",
    trust: bool = False,
) -> list[Assigned]:
    """Tell the domain of sentences: softmax over the text centroids, calibrated on the partition's own captions.

    Raises:
        InputError: no or empty sentences, an unusable partition, or another encoder than it was made with.
    """
    if not sentences or not all(sentence.strip() for sentence in sentences):
        raise InputError("give sentences with words, such as 'a kettle boiling'")
    asked = read_partition(partition)
    model = load_encoder(encoder, tokenizer, choose_device(device), trust)
    if model.fingerprint != asked.encoder_fingerprint:
        raise InputError(
            f"{partition}: was made with another encoder ({asked.encoder_name}, {asked.encoder_fingerprint[:12]}…) than"
            f" --encoder {encoder} ({model.fingerprint[:12]}…); give that encoder"
        )
    captions = [(caption, row) for row, domain in enumerate(asked.domains) for caption in domain.captions]
    centroids = asked.text_centroids.double().numpy()
    known = text_features([caption for caption, _ in captions], model)
    temperature = fit_temperature(known, np.array([row for _, row in captions]), centroids)
    embeddings = text_features(sentences, model)
    assigned = []
    for sentence, embedding, row in zip(
        sentences, embeddings, domain_probabilities(embeddings, centroids, temperature), strict=True
    ):
        best = asked.domains[int(row.argmax())]
        by_id = {domain.id: float(probability) for domain, probability in zip(asked.domains, row, strict=True)}
        nearest = captions[int((known @ embedding).argmax())][0]
        assigned.append(Assigned(sentence, best.id, best.name, by_id, nearest))
    return assigned


def compare_partitions(first: Path, second: Path) -> PartitionAgreement:
    """Compare two partition folders.

    Raises:
        InputError: one of them cannot be read, or they share no caption.
    """
    return compare(read_partition(first), read_partition(second))
