"""Splitting a verb into tasks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dplass_cli.errors import InputError
from dplass_cli.launching.splitting import split


@pytest.fixture
def partition(tmp_path: Path) -> str:
    """A partition of three domains, one of them without clips."""
    domains = [{"id": id, "counts": {"captions": 1, "clips": clips}} for id, clips in ((0, 5), (1, 0), (4, 2))]
    (tmp_path / "partition.json").write_text(json.dumps({"domains": domains}))
    return str(tmp_path)


def words_of(words: list[str], count: int | None = None) -> dict[str, list[str]]:
    """{task: the verb and its options}."""
    return {task.name: list(task.command[3:]) for task in split(words, count, Path("logs"))}


def test_a_training_is_a_task_per_domain_with_clips(partition: str) -> None:
    train = ["train", "--data", partition, "--workspace=run", "--max-epochs", "3"]
    own = ["train", "--data", partition, "--max-epochs", "3", "--resume", "--set", "cache=run/embeddings", "--domain"]
    assert words_of(train) == {
        "domain0": [*own, "0", "--workspace", "run/domain0"],
        "domain4": [*own, "4", "--workspace", "run/domain4"],
    }


def test_fewer_tasks_train_several_domains_each(partition: str) -> None:
    train = ["train", "--data", partition, "--workspace", "run", "--domain", "0,4,1", "--resume"]
    assert {name: words[-3:] for name, words in words_of(train, 2).items()} == {
        "domain0-1": ["0,1", "--workspace", "run/domain0-1"],
        "domain4": ["4", "--workspace", "run/domain4"],
    }


def test_processes_that_train_together_are_one_task(partition: str) -> None:
    train = ["train", "--data", partition, "--workspace", "run", "--strategy", "ddp", "--num-gpus", "4"]
    (task,) = split([*train, "--num-nodes=2"], None, Path("logs"))
    assert (task.nodes, task.processes) == (2, 4)
    assert task.command[3:] == (*train, "--num-nodes=2", "--resume", "--set", "cache=run/embeddings")


def test_embed_and_evaluate_become_shares() -> None:
    tasks = split(["embed", "train.json", "--output", "embeddings"], 2, Path("logs"))
    assert [task.environment for task in tasks] == [
        {"RANK": rank, "WORLD_SIZE": "2", "LOCAL_RANK": "0"} for rank in ("0", "1")
    ]
    assert tasks[0].command == tasks[1].command


def test_preparing_becomes_shares_and_a_last_task() -> None:
    tasks = split(["prepare-audioset", "--output", "train.json"], 2, Path("logs"))
    assert [(task.name, task.last, task.environment.get("RANK")) for task in tasks] == [
        ("share0", False, "0"),
        ("share1", False, "1"),
        ("manifest", True, None),
    ]


@pytest.mark.parametrize("kind", ["merge", "mixtures", "shards", "generate"])
def test_what_one_process_prepares_is_not_shared(kind: str) -> None:
    with pytest.raises(InputError, match="--tasks 2: prepare runs as one task"):
        split(["prepare", kind, "a.json"], 2, Path("logs"))


def test_other_verbs_are_one_task() -> None:
    assert words_of(["sweep", "sweep.yaml", "--workspace", "search"]) == {
        "sweep": ["sweep", "sweep.yaml", "--workspace", "search"]
    }


@pytest.mark.parametrize(
    ("words", "count", "message"),
    [
        ([], None, "no verb to launch"),
        (["--tasks", "2"], None, "no verb to launch"),
        (["sweep", "sweep.yaml"], 2, "--tasks 2: sweep runs as one task; leave the option out"),
        (["train", "--data", "partition"], None, "needs --data PARTITION and --workspace DIR"),
        (["train", "--data", "gone", "--workspace", "run"], None, "partition.json"),
    ],
)
def test_what_cannot_be_split_is_refused(words: list[str], count: int | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        split(words, count, Path("logs"))
