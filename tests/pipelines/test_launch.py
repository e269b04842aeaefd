"""``launch`` with real verbs: workers are killed, and the results equal those of undisturbed runs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_slurm import FakeSlurm, wait_until
from small_corpus import build, options, same_adapter
from systems import needs_proc

from dplass_cli.audio.writing import write_audio
from dplass_cli.data.manifest import Row, write_manifest
from dplass_cli.launching.following import TaskRecord
from dplass_cli.options.embed_options import EmbedOptions
from dplass_cli.options.launch_options import LaunchLocalOptions, LaunchOptions, LaunchRayOptions, LaunchSlurmOptions
from dplass_cli.pipelines.embed import embed
from dplass_cli.pipelines.launch import LaunchResult, launch
from dplass_cli.pipelines.train import train
from dplass_cli.sounds import render

pytestmark = [pytest.mark.slow, needs_proc]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    rows = []
    for number in range(12):
        path = folder / f"{number}.wav"
        write_audio(path, render(("dog_bark", "rain", "siren")[number % 3], 3000 + number, 1.0, 32000)[None], 32000)
        rows.append(Row(path, "a sound", id=path.stem))
    write_manifest(folder / "train.json", rows)
    return folder / "train.json"


def aligned(folder: Path) -> Any:
    """The vector of each row of the manifest."""
    described = json.loads((folder / "embeddings.json").read_text())
    vectors = np.memmap(folder / described["vectors"], np.float32, "r").reshape(-1, described["size"])
    return vectors[np.load(folder / "rows.npy")]


def embed_words(manifest: Path, output: Path) -> tuple[str, ...]:
    return ("embed", str(manifest), "--output", str(output), "--device", "cpu")


def launched(options: LaunchOptions, kill: Callable[[TaskRecord], None]) -> LaunchResult:
    """Launch, and kill the first task once, when it first runs."""
    killed: list[str] = []

    def disturb(tasks: Sequence[TaskRecord]) -> None:
        if tasks[0].state == "running" and not killed:
            killed.append(tasks[0].job)
            kill(tasks[0])

    result = launch(options, disturb)
    assert killed
    return result


def kill_process(text: str, parent: bool = False) -> None:
    """Kill the process whose command contains a word, or its parent, as soon as there is one."""
    found: list[int] = []
    wait_until(lambda: bool(found.extend(processes(text)) or found))
    above = Path(f"/proc/{found[0]}/stat").read_text().rpartition(")")[2].split()[1]
    os.kill(int(above) if parent else found[0], signal.SIGKILL)


def processes(text: str) -> list[int]:
    """The processes of verbs with a word in their commands."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if text.encode() in words and b"dplass_cli" in words:
                found.append(int(path.parent.name))
    return found


def assert_equal_to_an_undisturbed_run(manifest: Path, folder: Path, undisturbed: Path) -> None:
    embed(EmbedOptions(manifest, undisturbed, device="cpu"))
    np.testing.assert_array_equal(aligned(folder), aligned(undisturbed))


def test_shares_of_an_embedding_survive_a_kill(manifest: Path, tmp_path: Path) -> None:
    given = LaunchLocalOptions(
        embed_words(manifest, tmp_path / "out"), tasks=2, folder=tmp_path / "launch", poll_seconds=0.1
    )
    result = launched(given, lambda task: kill_process(str(tmp_path / "out")))
    assert {task.state for task in result.tasks} == {"done"}
    assert sum(task.starts for task in result.tasks) == 3
    assert_equal_to_an_undisturbed_run(manifest, tmp_path / "out", tmp_path / "undisturbed")


def test_shares_of_an_embedding_survive_a_preemption(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("submitit")
    slurm = FakeSlurm(tmp_path / "slurm", monkeypatch)
    given = LaunchSlurmOptions(
        embed_words(manifest, tmp_path / "out"), tasks=2, folder=tmp_path / "launch", poll_seconds=0.2
    )
    result = launched(given, lambda task: slurm.preempt(task.job))
    assert [(task.state, task.starts) for task in result.tasks] == [("done", 2), ("done", 1)]
    assert_equal_to_an_undisturbed_run(manifest, tmp_path / "out", tmp_path / "undisturbed")


def test_shares_of_an_embedding_survive_the_loss_of_a_ray_worker(manifest: Path, tmp_path: Path) -> None:
    ray = pytest.importorskip("ray")
    given = LaunchRayOptions(
        embed_words(manifest, tmp_path / "out"),
        tasks=2,
        folder=tmp_path / "launch",
        poll_seconds=0.5,
        address="local",
        cpus=1.0,
    )
    try:
        result = launched(given, lambda task: kill_process(str(tmp_path / "out"), parent=True))
    finally:
        ray.shutdown()
    assert {task.state for task in result.tasks} == {"done"}
    assert "WorkerCrashedError" in {task.reason for task in result.tasks}
    assert_equal_to_an_undisturbed_run(manifest, tmp_path / "out", tmp_path / "undisturbed")


def test_domains_that_are_trained_apart_and_killed_equal_those_of_one_run(tmp_path: Path) -> None:
    corpus = build(tmp_path / "corpus")
    given = options(corpus, tmp_path / "whole", epochs=1)
    train(given)
    words = ("train", "--data", str(corpus / "partition"), "--workspace", str(tmp_path / "run"), "--domain", "1,2")
    words += ("--base-checkpoint", str(given.base_checkpoint), "--encoder", "tiny", "--device", "cpu")
    words += ("--max-epochs", "1", "--set", "train.optimizer.learning_rate=1e-2", "--set", "train.num_workers=0")
    words += ("--set", "train.batch_size_per_device=2")
    launched(
        LaunchLocalOptions(words, folder=tmp_path / "launch", poll_seconds=0.1),
        lambda task: kill_process(str(tmp_path / "run" / "domain1")),
    )
    same_adapter(tmp_path / "run" / "domain1", tmp_path / "whole")
