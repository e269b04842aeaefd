"""``domains``: sentences are assigned with the encoder of the partition."""

from __future__ import annotations

from pathlib import Path

import pytest

from dplass_cli.errors import InputError
from dplass_cli.pipelines.domains import assign_sentences, compare_partitions
from dplass_cli.storage import read_json, write_json


def test_a_training_caption_is_assigned_to_its_own_domain(corpus: Path) -> None:
    partition = corpus / "partition"
    domains = read_json(partition / "partition.json")["domains"]
    captions = [domain["captions"][0] for domain in domains]
    assigned = assign_sentences(captions, partition)
    assert [one.domain for one in assigned] == [domain["id"] for domain in domains]


@pytest.mark.parametrize("sentences", [[], ["rain", " "]])
def test_sentences_without_words_are_refused(sentences: list[str], corpus: Path) -> None:
    with pytest.raises(InputError, match="no sentence to assign"):
        assign_sentences(sentences, corpus / "partition")


def test_a_partition_of_another_encoder_is_refused(corpus: Path, tmp_path: Path) -> None:
    for file in (corpus / "partition").iterdir():
        (tmp_path / file.name).symlink_to(file)
    described = read_json(tmp_path / "partition.json")
    described["encoder"]["fingerprint"] = "f" * 64
    (tmp_path / "partition.json").unlink()
    write_json(tmp_path / "partition.json", described)
    with pytest.raises(InputError, match=r"was made with another encoder \(.*, ffffffffffff…\)"):
        assign_sentences(["rain"], tmp_path)


def test_a_partition_agrees_with_itself(corpus: Path) -> None:
    agreement = compare_partitions(corpus / "partition", corpus / "partition")
    assert agreement.adjusted_rand == pytest.approx(1.0)
    assert agreement.moved == {}
