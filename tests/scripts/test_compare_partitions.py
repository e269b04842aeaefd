"""What the arms of the comparison of partitions train on."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
import torch

from compare_partitions import ARMS, asked_arms, domains_of, mean_with_interval
from dplass_cli.domains.partition_folder import Domain, Partition

DOMAINS = [("bark", "growl"), ("rain", "river", "wave"), ("bell",)]


@pytest.fixture
def arguments(tmp_path: Path) -> argparse.Namespace:
    domains = tuple(Domain(id, str(id), captions, len(captions)) for id, captions in enumerate(DOMAINS))
    audio, text = torch.eye(3), torch.eye(3)
    Partition(domains, audio, text, "tiny", "0").save(tmp_path)
    return argparse.Namespace(partition=tmp_path)


def test_the_first_arm_has_the_domains_as_they_are(arguments: argparse.Namespace) -> None:
    assert domains_of(arguments, "domains", 1) == DOMAINS


def test_random_domains_have_the_same_sizes_and_captions_and_depend_on_the_seed(arguments: argparse.Namespace) -> None:
    drawn = [domains_of(arguments, "random", seed) for seed in range(8)]
    captions = sorted(caption for domain in DOMAINS for caption in domain)
    for domains in drawn:
        assert [len(domain) for domain in domains] == [2, 3, 1]
        assert sorted(caption for domain in domains for caption in domain) == captions
    assert drawn[0] == domains_of(arguments, "random", 0)
    assert len({tuple(domains) for domains in drawn}) > 1


@pytest.mark.parametrize("arm", ["one", "base"])
def test_the_others_train_on_all_captions_together(arguments: argparse.Namespace, arm: str) -> None:
    assert domains_of(arguments, arm, 1) == [tuple(caption for domain in DOMAINS for caption in domain)]


def test_all_arms_are_trained_unless_some_are_named() -> None:
    assert asked_arms(",".join(ARMS)) == ["domains", "random", "one", "base"]
    assert asked_arms("random,domains") == ["random", "domains"]
    with pytest.raises(SystemExit, match="--arms two: must be one of domains, random, one, base"):
        asked_arms("domains,two")


def test_a_mean_is_shown_with_its_interval() -> None:
    assert mean_with_interval([1.0] * 5) == "+1.000 [+1.000, +1.000]"
