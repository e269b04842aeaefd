"""What faults leave of the verbs that write: kill -9, a full disk, a folder that may not be written, and others.

``python scripts/faults.py [VERB…] --kills 100`` runs each verb on a small corpus, undisturbed and disturbed. No file
under its own name may ever be half-written, what was finished must be kept, a failure must be told in one line, and the
same command must then complete and give what an undisturbed run gives. It prints a table, and ends with 1 where a check
failed. Full disks and folders that may not be written are file systems in memory; making them needs root on Linux, and
is skipped, and said so, elsewhere.

Runs are forked from a process that has imported everything, so that a kill falls into the work and not into imports.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import dataclasses
import hashlib
import importlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT))

PATIENCE = 600.0  # seconds for one run
KILLS_IN_A_ROW = 8
_UNSTEADY = ("logs", "tf_logs", "checkpoints")  # of training: what the clock says, and states that go on changing
_UNSTEADY_KEYS = {"seconds", "created", "time"}


@dataclass(frozen=True)
class Verb:
    """A verb: its arguments for (inputs, output folder); what is added when it is run again; inputs that may vanish."""

    name: str
    arguments: Callable[[Path, Path], list[str]]
    again: tuple[str, ...] = ()
    vanish: str = ""


VERBS = (
    Verb(
        "prepare-audioset",
        lambda given, out: [
            *("prepare-audioset", "--segments", f"{given}/segments.csv", "--labels", f"{given}/labels.csv"),
            *("--audio-dir", f"{given}/clips", "--output", f"{out}/train.json", "--check", "decode"),
            *("--convert", "16k-mono-flac"),
        ],
        vanish="clips/*.wav",
    ),
    Verb("embed", lambda given, out: ["embed", f"{given}/train.json", "--output", str(out)], vanish="*.wav"),
    Verb(
        "partition",
        lambda given, out: [
            *("partition", f"{given}/train.json", "--output", f"{out}/partition", "--domains", "3"),
            *("--cache", f"{out}/cache", "--set", "val_mixtures=2"),
        ],
        vanish="*.wav",
    ),
    Verb(
        "train",
        lambda given, out: [
            *("train", "--data", f"{given}/partition", "--workspace", f"{out}/run", "--encoder", "tiny"),
            *("--base-checkpoint", f"{given}/base.safetensors", "--max-epochs", "2", "--device", "cpu"),
            *("--set", "train.batch_size_per_device=2", "--set", "train.num_workers=0"),
            *("--set", "train.save_step_frequency=1", "--set", "train.examples=1"),
        ],
        again=("--resume",),
        vanish="*.wav",
    ),
    Verb(
        "evaluate",
        lambda given, out: [
            *("evaluate", "--metadata-csv", f"{given}/mixtures.csv", "--output", f"{out}/results"),
            *("--base-checkpoint", f"{given}/base.safetensors", "--encoder", "tiny", "--device", "cpu"),
            *("--adapters", f"{given}/bank"),
        ],
        vanish="*.wav",
    ),
    Verb(
        "separate",
        lambda given, out: [
            *("separate", f"{given}/clips", "--query", "a dog barking", "--query", "rain", "--residual"),
            *("--output", str(out), "--device", "cpu", "--clip", "scale", "--backend", "torch"),
        ],
        vanish="clips/*.wav",
    ),
    Verb(
        "export",
        lambda given, out: ["export", "--output", f"{out}/graph.xml", "--base-checkpoint", f"{given}/base.safetensors"],
    ),
    Verb(
        "adapters import",
        lambda given, out: [
            *("adapters", "import", f"{given}/cluster0_model.pt", f"{given}/cluster1_model.pt"),
            *("--output", f"{out}/bank", "--partition", f"{given}/partition"),
            *("--base-checkpoint", f"{given}/small.safetensors"),
        ],
        vanish="cluster1_model.pt",
    ),
    Verb(
        "adapters merge",
        lambda given, out: [
            *("adapters", "merge", f"{given}/bank/domain0", "--base-checkpoint", f"{given}/base.safetensors"),
            *("--output", f"{out}/merged.safetensors"),
        ],
    ),
    Verb(
        "adapters export",
        lambda given, out: [
            *("adapters", "export", f"{given}/small_adapter", "--base-checkpoint", f"{given}/small.safetensors"),
            *("--output", f"{out}/cluster0_model.pt"),
        ],
    ),
    Verb(
        "weights fetch",
        lambda given, out: ["weights", "fetch", "some", "--table", f"{given}/weights.yaml", "--output", str(out)],
    ),
    Verb(
        "quickstart",
        lambda given, out: [
            *("quickstart", f"{out}/demo", "--device", "cpu"),
            *("--set", "clips=1", "--set", "steps=2", "--set", "mixtures=4"),
        ],
    ),
)


@dataclass
class Told:
    """What came of a fault: how often it was made, and what was wrong afterwards."""

    times: int = 0
    wrong: list[str] = field(default_factory=list)
    skipped: str = ""

    def __str__(self) -> str:
        return self.skipped or (f"{len(self.wrong)} wrong of {self.times}" if self.wrong else f"{self.times}")


class Bench:
    """The folders of one verb: inputs, a whole copy of them, and the output, always at the same places."""

    def __init__(self, place: Path, verb: Verb, chance: random.Random) -> None:
        self.verb, self.chance = verb, chance
        self.given, self.whole, self.out = place / "in", place / "whole", place / "out"
        self.said = place / "said.txt"
        self.seconds, self.size = 0.0, 0
        self.wanted: dict[str, str] = {}

    def fresh(self) -> None:
        """Empty the output folder."""
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir()

    def begin(self, again: bool = False, first: Callable[[], None] | None = None) -> int:
        """Start the verb in a process of its own: its number."""
        arguments = self.verb.arguments(self.given, self.out) + (list(self.verb.again) if again else [])
        process = os.fork()
        if process == 0:
            _child(arguments, self.said, first)
        return process

    def run(self, again: bool = False, first: Callable[[], None] | None = None) -> int:
        """Run the verb to its end: its exit code."""
        return self.ended(self.begin(again, first))

    def ended(self, process: int) -> int:
        """Wait for a run: its exit code; what lasts too long is killed."""
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            done, status = os.waitpid(process, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.01)
        os.killpg(process, signal.SIGKILL)
        os.waitpid(process, 0)
        raise AssertionError("a run did not end")

    def measure(self) -> list[str]:
        """Run undisturbed, twice; what both give is what every run is to give. Returns the files that differ."""
        found = []
        for _ in range(2):
            self.fresh()
            began = time.monotonic()
            code = self.run()
            self.seconds = time.monotonic() - began
            assert code == 0, self.said.read_text()
            found.append(fingerprints(self.out))
        self.size = sum(path.stat().st_size for path in self.out.rglob("*") if path.is_file())
        self.wanted = {name: mark for name, mark in found[0].items() if found[1].get(name) == mark}
        return sorted(name for name in found[0] if name not in self.wanted)

    def finish(self) -> list[str]:
        """Run once more and compare: what is wrong."""
        code = self.run(again=True)
        if code != 0:
            return [f"the next run ended with {code}: {self.said.read_text()[-400:]}"]
        found = fingerprints(self.out)
        other = [name for name, mark in self.wanted.items() if found.get(name) != mark]
        more = [name for name in found if name not in self.wanted and name not in self.unsteady]
        left = [str(path.name) for path in self.out.rglob(".writing-*")]
        return (
            ([f"differs from an undisturbed run: {other}"] if other else [])
            + ([f"files that an undisturbed run does not leave: {more}"] if more else [])
            + ([f"unfinished files are left: {left}"] if left else [])
        )

    unsteady: frozenset[str] = frozenset()

    def told(self, code: int) -> list[str]:
        """Whether a run that could not go on said so in one line."""
        said = self.said.read_text(errors="replace")
        lines = [line for line in said.splitlines() if line.startswith("dplass: ")]
        if code in (1, 2, 3) and lines and "Traceback" not in said:
            return []
        return [f"ended with {code}, saying {said[-600:]!r}"]


def _child(arguments: Sequence[str], said: Path, first: Callable[[], None] | None) -> None:
    """The verb, in the forked process; it does not return."""
    os.setpgid(0, 0)
    code = 99
    try:
        handle = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        if first is not None:
            first()
        from dplass_cli.cli import app

        try:
            app(list(arguments))
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def fingerprints(folder: Path) -> dict[str, str]:
    """{path: hash} of the files that are a verb's result, without what only the clock says."""
    found = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(part.startswith(".") or part in _UNSTEADY for part in parts):
            found["/".join(parts)] = hashlib.sha256(_content(path)).hexdigest()
    return found


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix == ".safetensors":  # the library writes the members of its metadata in any order
        size = 8 + int.from_bytes(content[:8], "little")
        return json.dumps(json.loads(content[8:size]), sort_keys=True).encode() + content[size:]
    if path.name in ("keys.bin", "vectors.f32"):  # of embeddings; two runs may both add what neither knew, in any order
        size = 48 if path.name == "keys.bin" else 4 * json.loads(path.with_name("cache.json").read_text())["size"]
        return b"".join(sorted({content[at : at + size] for at in range(0, len(content), size)}))
    if path.name == "rows.npy":  # where in such an array each embedding lies: what counts is what lies there
        return _rows(path)
    if path.suffix == ".json":
        return json.dumps(_steady(json.loads(content))).encode()
    if path.suffix == ".csv":
        rows = list(csv.reader(io.StringIO(content.decode(), newline="")))
        head = next((row for row in rows if "seconds" in row), [])
        places = [number for number, name in enumerate(head) if name not in _UNSTEADY_KEYS]
        kept = [[row[at] for at in places] if head and len(row) == len(head) else row for row in rows]
        return json.dumps(kept).encode()
    return content


def _rows(path: Path) -> bytes:
    import numpy as np

    (vectors,) = path.parent.rglob("vectors.f32")
    size = json.loads(vectors.with_name("cache.json").read_text())["size"]
    return np.fromfile(vectors, np.float32).reshape(-1, size)[np.load(path)].tobytes()


def _steady(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _steady(item) for key, item in value.items() if key not in _UNSTEADY_KEYS}
    return [_steady(item) for item in value] if isinstance(value, list) else value


def half_written(folder: Path) -> list[str]:
    """The files under their own names that cannot be read as what they are."""
    wrong = []
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden:
            try:
                _read(path)
            except Exception as error:
                wrong.append(f"{path.name} is half-written: {error!r:.200}")
    return wrong


def _read(path: Path) -> None:
    import onnx
    import soundfile
    import torch
    import yaml
    from safetensors import safe_open

    if path.suffix == ".json":
        json.loads(path.read_text())
    elif path.suffix == ".safetensors":
        with safe_open(path, framework="pt") as archive:
            assert list(archive.keys())
    elif path.suffix in (".wav", ".flac"):
        samples, _ = soundfile.read(path)
        assert len(samples) == soundfile.info(path).frames > 0
    elif path.suffix in (".ckpt", ".pt"):
        torch.load(path, weights_only=True)
    elif path.suffix == ".yaml":
        assert yaml.safe_load(path.read_text()) is not None  # {} says that there is nothing to say
    elif path.suffix == ".onnx":
        onnx.load(path)
    elif path.suffix == ".html":
        assert path.read_text().rstrip().endswith("</html>")
    elif path.suffix in (".xml", ".md", ".csv", ".png", ".svg"):
        assert path.stat().st_size > 0


def kept(before: Path, folder: Path) -> list[str]:
    """What was finished before and is not there any more: rows of records, embeddings."""
    wrong = []
    for path in before.rglob("*"):
        now = folder / path.relative_to(before)
        if path.name == "items.csv":
            rows = path.read_text().splitlines(keepends=True)
            lost = {row for row in rows if row.endswith("\n")} - set(now.read_text().splitlines(keepends=True))
            wrong += [f"{len(lost)} rows were lost"] if lost else []
        elif path.name == "keys.bin":
            whole = path.read_bytes()[: path.stat().st_size // 48 * 48]
            wrong += [] if now.read_bytes().startswith(whole) else ["embeddings were lost"]
    return wrong


def kill(bench: Bench, times: int) -> Told:
    """Kill runs at random moments, some in a row in one folder, then let one end."""
    told = Told()
    while told.times < times:
        bench.fresh()
        again = False
        for _ in range(min(bench.chance.randint(1, KILLS_IN_A_ROW), times - told.times)):
            process = bench.begin(again)
            time.sleep(bench.chance.uniform(0, bench.seconds))
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process, signal.SIGKILL)
            os.waitpid(process, 0)
            told.times, again = told.times + 1, True
            told.wrong += half_written(bench.out)
        before = bench.given.parent / "before"
        shutil.copytree(bench.out, before)
        told.wrong += bench.finish()
        told.wrong += kept(before, bench.out)
        shutil.rmtree(before)
    return told


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Callable[[str], None]]:
    """A file system of so many bytes at a folder; what is yielded changes its options."""
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True, capture_output=True
    )
    try:
        yield lambda options: _remount(folder, options)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)


def _remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True, capture_output=True)


def can_mount(folder: Path) -> bool:
    """Whether file systems can be made here."""
    try:
        with small_disk(folder, 1 << 20):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def full(bench: Bench, shares: Sequence[float] = (0.05, 0.3, 0.6, 0.9)) -> Told:
    """Run on disks that are too small, then on one that is not."""
    told = Told()
    for share in shares:
        bench.fresh()
        with small_disk(bench.out, max(1 << 14, int(share * bench.size))) as change:
            code = bench.run()
            told.times += 1
            told.wrong += bench.told(code) if code else []
            told.wrong += half_written(bench.out)
            change("size=4G")
            told.wrong += bench.finish()
    return told


def read_only(bench: Bench) -> Told:
    """Run where nothing may be written, then where it may."""
    told = Told(1)
    bench.fresh()
    with small_disk(bench.out, 1 << 32) as change:
        change("ro")
        code = bench.run()
        told.wrong += bench.told(code)
        change("rw")
        told.wrong += bench.finish()
    return told


def vanishing(bench: Bench, times: int) -> Told:
    """Take an input away at a random moment; put it back, and run again."""
    if not bench.verb.vanish:
        return Told(skipped="–")
    told = Told()
    for _ in range(times):
        bench.fresh()
        process = bench.begin()
        time.sleep(bench.chance.uniform(0, 0.8 * bench.seconds))
        gone = bench.chance.choice(sorted(bench.given.glob(bench.verb.vanish)))
        gone.unlink()
        code = bench.ended(process)
        told.times += 1
        if code and code != 1:
            told.wrong += bench.told(code)
        told.wrong += ["a traceback"] if "Traceback" in bench.said.read_text() else []
        told.wrong += half_written(bench.out)
        shutil.copy2(bench.whole / gone.relative_to(bench.given), gone)
        if bench.verb.name in ("embed", "partition", "train", "prepare-audioset", "adapters import"):
            bench.fresh()  # they have finished without the file, or refused: not a run that goes on
        told.wrong += bench.finish()
    return told


def clock_back(bench: Bench) -> Told:
    """Run with a clock that goes back at every look, and inputs from the future."""
    told = Told(1)
    bench.fresh()
    late = time.time() + 400 * 86400

    def first() -> None:
        real, steps = time.time, iter(range(1 << 60))
        time.time = lambda: real() - 60.0 * next(steps)
        time.time_ns = lambda: int(1e9 * time.time())

    times = {path: path.stat() for path in bench.given.rglob("*") if path.is_file()}
    for path in times:
        os.utime(path, (late, late))
    code = bench.run(first=first)
    told.wrong += [] if code == 0 else [f"ended with {code}: {bench.said.read_text()[-400:]}"]
    for path, was in times.items():
        os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    told.wrong += half_written(bench.out)
    bench.fresh()
    told.wrong += bench.finish()
    return told


def two_at_once(bench: Bench, times: int) -> Told:
    """Two runs in one folder: both end, or one says that the other is at work; the result is that of one."""
    told = Told()
    for _ in range(times):
        bench.fresh()
        processes = [bench.begin()]
        time.sleep(bench.chance.uniform(0, 0.5 * bench.seconds))
        processes.append(bench.begin())
        codes = [bench.ended(process) for process in processes]
        told.times += 1
        if 0 not in codes:
            told.wrong.append(f"neither ended well: {codes}: {bench.said.read_text()[-400:]}")
        told.wrong += ["a traceback"] if "Traceback" in bench.said.read_text() else []
        told.wrong += half_written(bench.out)
        told.wrong += bench.finish() if bench.verb.name != "quickstart" else []
    return told


def build(place: Path, address: str) -> None:
    """Write the inputs of all verbs: a corpus, a base, a partition, a bank, published files, tables."""
    import torch
    from small_corpus import build as build_corpus
    from small_networks import loaded, small_network

    from dplass_cli.adapters import AdapterSettings
    from dplass_cli.adapters.files import save_adapter
    from dplass_cli.adapters.published import to_published
    from dplass_cli.domains.partition import read_partition
    from dplass_cli.models import load_base, save_base
    from dplass_cli.models.audiosep import write_checkpoint
    from dplass_cli.separation.bank import BankDomain, write_bank

    place.mkdir()
    build_corpus(place)
    network = load_base(place / "base.safetensors")
    partition = read_partition(place / "partition")
    for row, domain in enumerate(partition.domains):
        adapter = loaded(network, AdapterSettings(), row)
        info = dataclasses.replace(adapter.info, encoder_fingerprint=partition.encoder_fingerprint)
        save_adapter(place / "bank" / f"domain{domain.id}", dataclasses.replace(adapter, info=info))
    described = [
        BankDomain(d.id, d.name, d.captions, partition.text_centroids[row], partition.audio_centroids[row])
        for row, d in enumerate(partition.domains)
    ]
    write_bank(place / "bank", described, {})
    published = small_network()
    save_base(place / "small.safetensors", published, None)
    for number in range(2):
        torch.manual_seed(number)
        adapter = loaded(published, AdapterSettings(), number)
        save_adapter(place / "small_adapter", adapter)
        write_checkpoint(place / f"cluster{number}_model.pt", to_published(adapter, published))
    (place / "clips").mkdir()
    lines, labels = [], ["index,mid,display_name"]
    for number, path in enumerate(sorted(place.glob("*0.wav"))[:3]):
        shutil.copy2(path, place / "clips" / f"clip{number:07d}.wav")
        lines.append(f'clip{number:07d}, 0.000, 2.500, "/m/{number}"')
        labels.append(f"{number},/m/{number},sound {number}")
    (place / "segments.csv").write_text("\n".join(lines) + "\n")
    (place / "labels.csv").write_text("\n".join(labels) + "\n")
    (place / "weights.yaml").write_text(
        f"some:\n  what: w\n  licence: l\n  url: {address}\n  files: [{{path: a.bin}}, {{path: b.bin}}]\n"
    )


class _Slow(BaseHTTPRequestHandler):
    """Serves two files slowly, from where it is asked to."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer."""
        data = random.Random(self.path).randbytes(2_000_000)
        asked = self.headers.get("Range")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        self.send_response(206 if asked else 200)
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()[:8]}"')
        self.send_header("Content-Length", str(len(data) - start))
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        with contextlib.suppress(OSError):
            for at in range(start, len(data), 100_000):
                self.wfile.write(data[at : at + 100_000])
                time.sleep(0.02)
        self.close_connection = True


@contextlib.contextmanager
def slow_server() -> Iterator[str]:
    """A server in a process of its own: its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Slow)
    process = os.fork()
    if process == 0:
        server.serve_forever()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        server.server_close()


def disturb(verb: Verb, place: Path, whole: Path, given: argparse.Namespace) -> dict[str, Told]:
    """All faults of one verb."""
    bench = Bench(place, verb, random.Random(f"{given.seed} {verb.name}"))
    bench.unsteady = frozenset(bench.measure())
    say(f"{verb.name}: {bench.seconds:.1f} s, {bench.size / 1e3:.0f} kB, {len(bench.wanted)} files compared")
    if bench.unsteady:
        say(f"  differ between two undisturbed runs, so that only their form is checked: {sorted(bench.unsteady)}")
    bench.fresh()
    no_mounts = Told(skipped="skipped: no mounts here")
    mounts = can_mount(bench.out)
    faults: dict[str, Callable[[], Told]] = {
        "kill -9": lambda: kill(bench, given.kills),
        "full disk": lambda: full(bench) if mounts else no_mounts,
        "read-only": lambda: read_only(bench) if mounts else no_mounts,
        "vanishing file": lambda: vanishing(bench, given.times),
        "clock back": lambda: clock_back(bench),
        "two at once": lambda: two_at_once(bench, given.times),
    }
    told = {}
    for name, fault in faults.items():
        if given.faults and name not in given.faults:
            continue
        try:
            told[name] = fault()
        except (AssertionError, OSError, subprocess.CalledProcessError) as error:
            told[name] = Told(1, [repr(error)])
        for wrong in told[name].wrong:
            say(f"  {verb.name}: {name}: {wrong}")
        shutil.rmtree(bench.given)
        shutil.copytree(whole, bench.given)
    return told


def say(text: str) -> None:
    """Tell how it goes on."""
    print(text, file=sys.stderr, flush=True)


def _import_everything() -> None:
    for name in (
        "lightning",
        "matplotlib.pyplot",
        "onnx",
        "onnxscript",
        "sklearn.cluster",
        "torchmetrics",
        "rich.table",
    ):
        importlib.import_module(name)
    for path in sorted((ROOT / "dplass_cli").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if not module.endswith("__main__"):
            importlib.import_module(module)


def main() -> int:
    """Disturb the verbs, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verbs", nargs="*", metavar="VERB", help="default: all")
    parser.add_argument("--kills", type=int, default=100, help="of each verb")
    parser.add_argument("--times", type=int, default=5, help="that a file vanishes, and that two run at once")
    parser.add_argument("--faults", action="append", metavar="FAULT", help="only these, such as 'kill -9'")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    known = {verb.name: verb for verb in VERBS}
    for name in given.verbs:
        if name not in known:
            parser.error(f"no verb {name!r}; there are {', '.join(known)}")
    warnings.filterwarnings("ignore")
    os.environ.update(NO_PROXY="*", OMP_NUM_THREADS="1")
    rows: dict[str, dict[str, Told]] = {}
    with slow_server() as address, tempfile.TemporaryDirectory(prefix="dplass-faults-") as name:
        _import_everything()
        place, whole = Path(name), Path(name) / "in"
        build(whole, address)
        shutil.copytree(whole, place / "whole")
        for verb in [known[name] for name in given.verbs] or VERBS:
            try:
                rows[verb.name] = disturb(verb, place, place / "whole", given)
            except AssertionError as error:
                say(f"{verb.name}: {error}")
                rows[verb.name] = {"kill -9": Told(1, ["it does not run undisturbed"])}
    columns = list(dict.fromkeys(column for told in rows.values() for column in told))
    print(f"| verb | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}")
    for name, told in rows.items():
        print(f"| {name} | {' | '.join(str(told.get(column, '')) for column in columns)} |")
    return 1 if any(one.wrong for told in rows.values() for one in told.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
