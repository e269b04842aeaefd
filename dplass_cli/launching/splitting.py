"""How a verb is split into tasks: a training by domains, an embedding or an evaluation by shares of the items."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dplass_cli.errors import InputError
from dplass_cli.launching.task import Task, verb_command
from dplass_cli.storage import read_json, require_file

SHARED = ("embed", "evaluate")
"""Verbs whose processes take shares by RANK and WORLD_SIZE; the last one to finish writes the results."""

PREPARING = ("prepare", "prepare-audioset")
"""Verbs whose processes check and convert shares; another one writes the manifest when they are done."""

_ALONE = ("merge", "mixtures", "shards", "generate")  # of prepare: what one process does


def split(words: Sequence[str], count: int | None, logs: Path) -> list[Task]:
    """The tasks of a verb.

    ``train`` becomes a task per domain, or ``count`` tasks with several domains each; every task has the sub-folder of
    the workspace that it is named after. Where processes train together (``--strategy ddp``), it is one task. ``embed``
    and ``evaluate`` become ``count`` shares; ``prepare`` and ``prepare-audioset`` too, and a last task that writes the
    manifest. Any other verb is one task.

    Args:
        words: the verb and its options.
        count: number of tasks; None: one per domain, else one.
        logs: folder of the logs.

    Raises:
        InputError: no verb, a training without its partition or workspace, or a verb that cannot be split.
    """
    if not words or words[0].startswith("-"):
        raise InputError("no verb to launch; give it with its options, such as: train --data partition --workspace run")
    if words[0] == "train":
        return _training(words, count, logs)
    prepares = words[0] in PREPARING and not set(words[1:2]) & set(_ALONE)
    if count not in (None, 1) and words[0] not in SHARED and not prepares:
        raise InputError(f"--tasks {count}: {words[0]} runs as one task; leave the option out")
    if count is None or count == 1:
        return [Task(words[0], verb_command(words), logs / f"{words[0]}.log")]
    shares = [
        Task(
            f"share{rank}",
            verb_command(words),
            logs / f"share{rank}.log",
            {"RANK": str(rank), "WORLD_SIZE": str(count), "LOCAL_RANK": "0"},
        )
        for rank in range(count)
    ]
    return [*shares, *([Task("manifest", verb_command(words), logs / "manifest.log", last=True)] if prepares else [])]


def _training(words: Sequence[str], count: int | None, logs: Path) -> list[Task]:
    partition, workspace = _value(words, "--data"), _value(words, "--workspace")
    if partition is None or workspace is None:
        raise InputError("train: launching it needs --data PARTITION and --workspace DIR on the command line")
    resumed = [*words, *([] if "--resume" in words else ["--resume"])]
    if not any(word.startswith(("cache=", "--set=cache=")) for word in words):
        resumed += ["--set", f"cache={Path(workspace) / 'embeddings'}"]  # one for all tasks
    if _value(words, "--strategy") == "ddp" or (_value(words, "--what") or "adapters") != "adapters":
        if count not in (None, 1):
            raise InputError(f"--tasks {count}: processes that train together are one task; leave the option out")
        nodes, processes = (int(_value(words, flag) or 1) for flag in ("--num-nodes", "--num-gpus"))
        return [Task("train", verb_command(resumed), logs / "train.log", {}, nodes, processes)]
    domains = _domains(Path(partition), _value(words, "--domain") or "all")
    count = min(count or len(domains), len(domains))
    groups = [domains[number::count] for number in range(count)]
    tasks = []
    for group in groups:
        name = "domain" + "-".join(group)
        own = _replaced(resumed, {"--domain": ",".join(group), "--workspace": str(Path(workspace) / name)})
        tasks.append(Task(name, verb_command(own), logs / f"{name}.log"))
    return tasks


def _domains(partition: Path, chosen: str) -> list[str]:
    """The ids of the domains to train: the chosen ones, or all that have clips."""
    if chosen.strip() != "all":
        return list(dict.fromkeys(id.strip() for id in chosen.split(",")))
    path = require_file(partition / "partition.json", remedy="make a partition with 'dplass partition'")
    try:
        return [str(domain["id"]) for domain in read_json(path)["domains"] if domain["counts"]["clips"]]
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: not the description of a partition; rerun 'dplass partition'") from error


def _value(words: Sequence[str], flag: str) -> str | None:
    """The last value of a flag, written ``--flag value`` or ``--flag=value``, with hyphens or underscores."""
    found = None
    for place, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name.replace("_", "-") == flag:
            found = value if equals else (words[place + 1] if place + 1 < len(words) else None)
    return found


def _replaced(words: Sequence[str], values: dict[str, str]) -> list[str]:
    """The words with other values of some flags, which are added at the end."""
    kept: list[str] = []
    skip = False
    for word in words:
        name, equals, _ = word.partition("=")
        if skip or name.replace("_", "-") in values:
            skip = not skip and not equals
            continue
        kept.append(word)
    return [*kept, *(part for pair in values.items() for part in pair)]
