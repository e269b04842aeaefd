"""``domains``: the domains of new sentences, and a comparison of two partitions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dplass_cli.devices import choose_device
from dplass_cli.domains.assignment import AssignedSentence, assign_to_domains
from dplass_cli.domains.partition_folder import read_partition
from dplass_cli.encoders import load_encoder, space_of
from dplass_cli.errors import InputError
from dplass_cli.resources import bundled_encoder, shown_hash

if TYPE_CHECKING:
    from dplass_cli.domains.agreement import PartitionAgreement


def assign_sentences(
    sentences: Sequence[str],
    partition: Path,
    encoder: str = "tiny",
    tokenizer: Path | str | None = None,
    device: str = "auto",
    trust: bool = False,
) -> list[AssignedSentence]:
    """Return the domains of sentences, with the probability of each.

    Raises:
        InputError: no or empty sentences, an unusable partition, or not the encoder that it was made with.
    """
    if not sentences or not all(sentence.strip() for sentence in sentences):
        raise InputError("no sentence to assign; give one with words, such as 'a kettle boiling'")
    domains = read_partition(partition)
    encoder = bundled_encoder(encoder, domains.encoder_fingerprint)
    model = load_encoder(encoder, tokenizer, choose_device(device), trust)
    if space_of(model) != domains.encoder_fingerprint:
        raise InputError(
            f"{partition}: was made with another encoder ({domains.encoder_name},"
            f" {shown_hash(domains.encoder_fingerprint)}) than --encoder {encoder} ({model.fingerprint[:12]}…);"
            " give that encoder"
        )
    return assign_to_domains(sentences, domains, model)


def compare_partitions(first: Path, second: Path) -> PartitionAgreement:
    """Compare two partition folders.

    Raises:
        InputError: one of them cannot be read, or they share no caption.
    """
    from dplass_cli.domains.agreement import compare  # not at the top: it imports scikit-learn

    return compare(read_partition(first), read_partition(second))
