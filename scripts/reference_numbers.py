"""Write what the suite computes, by its command line alone, and compare what two versions of it computed.

    python scripts/reference_numbers.py OUTPUT [--data FOLDER] [--only evaluate,separate,train] [--real CLIPS]
    python scripts/reference_numbers.py --compare BEFORE AFTER [--rename OLD=NEW]

``PYTHONPATH`` says which version runs. A second version takes the audio of the first with ``--data BEFORE/data``. CLIPS
is a folder of real clips with ``eval_fold4.csv`` and ``audio/``. Run with ``OMP_NUM_THREADS=1``: sums over threads
differ in their last bits.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
from safetensors.numpy import load_file

RATE = 32000
TOLERANCE = 1e-6
POLICIES = "base,text,text-knn,proven,audio,blend,contrast:base,contrast:text,contrast,oracle"
# What version 0.1 called its policies, and the runs that items.csv names after them.
RENAMED = {
    "proven": "validated",
    "contrast": "validated+residual",
    "contrast:base": "base+residual",
    "contrast:text": "text+residual",
}
TEXT_COLUMNS = ("idx", "query", "adapter", "sha256", "error", "group", "run")
TIMES = ("seconds", "wall_s", "items_per_s", "elapsed", "seconds_per_step")
KINDS = (
    *("dog_bark", "rain", "siren", "flute", "owl_hoot", "typing", "clock_tick", "helicopter", "piano", "crickets"),
    *("thunder", "church_bell", "crow_caw", "engine_idle", "violin", "baby_cry", "wind", "hammering", "frog", "alarm"),
)
Floats = npt.NDArray[np.float32]


def main() -> None:
    """Write, or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", nargs="?", type=Path, help="folder of the numbers")
    parser.add_argument("--data", type=Path, help="folder of audio that an earlier run made; default: OUTPUT/data")
    parser.add_argument("--only", default="evaluate,separate,train", help="parts, such as separate,train; none: ''")
    parser.add_argument("--real", type=Path, help="folder of real clips, to evaluate on them too")
    parser.add_argument("--select", default=POLICIES, help="policies to evaluate")
    parser.add_argument("--compare", nargs=2, type=Path, metavar=("BEFORE", "AFTER"))
    parser.add_argument("--rename", action="append", default=[], metavar="OLD=NEW", help="a run's new name")
    asked = parser.parse_args()
    if asked.compare:
        renamed = {**RENAMED, **dict(pair.split("=", 1) for pair in asked.rename)}
        before, after = asked.compare
        sys.exit(0 if compare(before, after, renamed) else 1)
    if asked.output is None:
        parser.error("name a folder for the numbers")
    write(asked.output.absolute(), asked)


def write(output: Path, asked: argparse.Namespace) -> None:
    """Run every part; each leaves its files and what ``--json`` said in a folder of its own."""
    import dplass_cli

    output.mkdir(parents=True, exist_ok=True)
    parts = [part for part in asked.only.split(",") if part]
    print(f"dplass {dplass_cli.__version__} of {Path(dplass_cli.__file__).parent}", flush=True)
    data = (asked.data or output / "data").absolute()
    if parts and not (data / "done").is_file():
        make_data(data)
    if "separate" in parts:
        separate(data, output / "separate")
    if "train" in parts:
        train(data, output / "train")
    if "evaluate" in parts:
        table = data / "mixtures.csv"
        evaluate("custom", table, data / "audio", asked.select, output / "evaluate" / "short")
        evaluate("esc50", data / "long" / "long.csv", data / "long", asked.select, output / "evaluate" / "long")
    if asked.real:
        clips = asked.real.absolute()
        evaluate("custom", clips / "eval_fold4.csv", clips / "audio", asked.select, output / "evaluate" / "real")


def dplass(arguments: Sequence[str | Path], said: Path) -> None:
    """Run a verb, and keep what it says as JSON."""
    said.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    words = [sys.executable, "-m", "dplass_cli", *map(str, arguments), "--json"]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False, cwd=said.parent, env=os.environ)
    print(f"{time.monotonic() - began:7.1f} s  dplass {' '.join(map(str, arguments))}", flush=True)
    if done.returncode:
        sys.exit(f"ended with {done.returncode}")
    said.write_text(done.stdout, encoding="utf-8")


def evaluate(benchmark: str, table: Path, audio: Path, select: str, output: Path) -> None:
    """Measure the bundled models with every policy."""
    what = ("evaluate", "--benchmark", benchmark, "--metadata-csv", table, "--audio-dir", audio)
    how = ("--select", select, "--backend", "torch", "--device", "cpu", "--precision", "32-true", "--no-report")
    dplass((*what, *how, "--output", output), output.with_suffix(".json"))


def separate(data: Path, output: Path) -> None:
    """Separate three recordings with the default policy and two others."""
    files = [data / "recordings" / name for name in ("mono4.wav", "stereo25.wav", "mono3_16k.wav")]
    for policy in ("default", "base", "audio"):
        chosen: tuple[str, ...] = () if policy == "default" else ("--select", policy)
        asked = ("--query", "a dog barking", "--query", "rain falling", "--residual")
        how = ("--subtype", "FLOAT", "--backend", "torch", "--device", "cpu", "--precision", "32-true")
        dplass(("separate", *files, *asked, *chosen, *how, "--output", output / policy), output / f"{policy}.json")


def train(data: Path, output: Path) -> None:
    """Prepare, partition, and train 30 steps of one adapter and 10 of another."""
    output.mkdir(parents=True, exist_ok=True)
    manifest, partition = output / "train.json", output / "partition"
    dplass(["prepare", "folder", data / "corpus", "--output", manifest], output / "prepare.json")
    dplass(["partition", manifest, "--domains", "3", "--device", "cpu", "--output", partition], output / "domains.json")
    fixed = ["train.batch_size_per_device=4", "train.num_workers=0", "train.optimizer.learning_rate=1e-3"]
    for adapter, steps in (("reconv", 30), ("lora", 10)):
        what = ("train", "--data", partition, "--domain", "0", "--adapter", adapter, "--max-steps", str(steps))
        how = (*(word for one in fixed for word in ("--set", one)), "--device", "cpu")
        dplass((*what, *how, "--workspace", output / adapter), output / f"{adapter}.json")


def make_data(folder: Path) -> None:
    """Make mixtures, recordings and a corpus of built-in sounds; the same on every machine up to the last bits."""
    from dplass_cli.sounds import CATALOGUE, render

    labels = {kind.name: kind.label for kind in CATALOGUE}
    kinds = [kind for kind in KINDS if kind in labels]
    kinds += [kind for kind in labels if kind not in kinds][: 20 - len(kinds)]

    def sound(kind: str, seed: int, seconds: float, rate: int = RATE) -> Floats:
        return np.asarray(render(kind, seed, seconds, rate), dtype=np.float32)

    for name in ("audio", "long", "recordings", "corpus"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for kind in kinds:
        for take in range(2):
            soundfile.write(folder / "audio" / f"{kind}{take}.wav", sound(kind, 7000 + take, 4.0), RATE, "PCM_16")
    rows = []
    for number in range(40):
        source, noise = kinds[number % 20], kinds[(number + 3 + number // 20) % 20]
        files = (f"{source}{number // 20}.wav", f"{noise}{1 - number // 20}.wav")
        rows.append((number, labels[source], *files, (0, 5, -5, 2.5)[number % 4]))
    write_csv(folder / "mixtures.csv", ("idx", "caption", "src_wav", "noise_wav", "snr_db"), rows)
    long = (("dog_bark", "rain", 25.0), ("siren", "typing", 25.0), ("flute", "rain", 9.0))
    for number, (source, noise, seconds) in enumerate(long):
        reference = normalized(sound(source, 7100, seconds))
        mixture = reference + normalized(sound(noise, 7101, seconds))
        soundfile.write(folder / "long" / f"segment-{number}.wav", reference, RATE, "FLOAT")
        soundfile.write(folder / "long" / f"mixture-{number}.wav", mixture, RATE, "FLOAT")
    names = [(number, labels[source]) for number, (source, _, _) in enumerate(long)]
    write_csv(folder / "long" / "long.csv", ("idx", "caption"), names)
    for name, seconds, rate, channels in (
        ("mono4", 4, RATE, 1),
        ("stereo25", 25, 44100, 2),
        ("mono3_16k", 3, 16000, 1),
    ):
        dog, rain = (normalized(sound(kind, 7200, seconds, rate)) for kind in ("dog_bark", "rain"))
        channel = [dog + rain, 0.5 * dog + 0.8 * rain][:channels]
        soundfile.write(folder / "recordings" / f"{name}.wav", np.stack(channel, axis=1), rate, "PCM_16")
    for kind in kinds[:9]:
        (folder / "corpus" / labels[kind]).mkdir(exist_ok=True)
        for take in range(3):
            path = folder / "corpus" / labels[kind] / f"{kind}{take}.wav"
            soundfile.write(path, sound(kind, 7300 + take, 3.0), RATE, "PCM_16")
    (folder / "done").touch()


def normalized(audio: Floats) -> Floats:
    """Of a level at which two of them do not clip."""
    return np.asarray(audio * (0.4 / max(float(np.abs(audio).max()), 1e-9)), dtype=np.float32)


def write_csv(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write a table."""
    with open(path, "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([columns, *rows])


class Findings:
    """The largest differences, by what they are of."""

    def __init__(self) -> None:
        self.largest: dict[str, float] = {}
        self.missing: list[str] = []
        self.notes: list[str] = []

    def number(self, what: str, before: float, after: float) -> None:
        """Two numbers that should be the same; that both are NaN or the same infinity is no difference."""
        same = before == after or (math.isnan(before) and math.isnan(after))
        difference = 0.0 if same else abs(before - after)
        self.largest[what] = max(self.largest.get(what, 0.0), math.inf if math.isnan(difference) else difference)

    def lost(self, what: str) -> None:
        """What only one of the two has."""
        self.missing.append(what)

    def show(self) -> bool:
        """Print them; True where all is within the tolerance."""
        for what, difference in self.largest.items():
            print(f"{'  ' if within(difference) else '! '}{what:<58} {difference:.3g}")
        for note in self.notes:
            print(f"  {note}")
        for what in self.missing[:40]:
            print(f"! only in one of them: {what}")
        if len(self.missing) > 40:
            print(f"! and {len(self.missing) - 40} more")
        return bool(self.largest) and not self.missing and all(map(within, self.largest.values()))


def within(difference: float) -> bool:
    """Whether a difference is within the tolerance; tables round to six decimals."""
    return difference <= TOLERANCE * (1 + 1e-6)


def compare(before: Path, after: Path, renamed: dict[str, str]) -> bool:
    """Compare all that both folders hold; True where it is the same."""
    found = Findings()
    for part in ("short", "long", "real"):
        here, there = (folder / "evaluate" / part for folder in (before, after))
        if here.is_dir() and there.is_dir():
            compare_items(part, here, there, renamed, found)
            compare_policies(part, here, there, renamed, found)
            compare_choices(part, here, there, renamed, found)
    if (before / "separate").is_dir() and (after / "separate").is_dir():
        compare_recordings(before / "separate", after / "separate", found)
    for adapter in ("reconv", "lora"):
        here, there = (folder / "train" / adapter for folder in (before, after))
        if here.is_dir() and there.is_dir():
            compare_training(adapter, here, there, found)
    same = found.show()
    print("the same" if same else f"different (more than {TOLERANCE:g})")
    return same


def table(path: Path, keys: Sequence[str]) -> dict[tuple[str, ...], dict[str, str]]:
    """The rows of a table by these columns; lines that begin with # are no rows."""
    with open(path, newline="", encoding="utf-8") as stream:
        rows = csv.DictReader(line for line in stream if not line.startswith("#"))
        return {tuple(row[key] for key in keys): row for row in rows}


def compare_rows(
    what: str, before: dict[tuple[str, ...], dict[str, str]], after: dict[tuple[str, ...], Any], found: Findings
) -> None:
    """Compare the numbers of two tables, the largest difference a column and run."""
    for key, row in before.items():
        other = after.get(key)
        if other is None:
            found.lost(f"{what} {' '.join(key)}")
            continue
        for column in row:
            if column in TEXT_COLUMNS or column in TIMES or not row[column]:
                continue
            if not other.get(column):
                found.lost(f"{what} {' '.join(key)}: {column}")
            else:
                found.number(f"{what} {key[-1]}: {column}", float(row[column]), float(other[column]))
    for key in after.keys() - before.keys():
        found.notes.append(f"new: {what} {' '.join(key)}")


def compare_items(part: str, here: Path, there: Path, renamed: dict[str, str], found: Findings) -> None:
    """Compare what every run reached on every item."""
    before, after = (table(folder / "items.csv", ("idx", "adapter")) for folder in (here, there))
    compare_rows(f"{part} items", with_new_names(before, after, renamed), after, found)


def with_new_names(
    before: dict[tuple[str, ...], Any], after: dict[tuple[str, ...], Any], renamed: dict[str, str]
) -> Any:
    """The rows under the names that the other table has for their runs."""
    return {
        key if key in after else (key[0], renamed.get(key[1], key[1])): row
        for key, row in before.items()
    }  # fmt: skip


def compare_policies(part: str, here: Path, there: Path, renamed: dict[str, str], found: Findings) -> None:
    """Compare what the policies reached on all items."""
    before, after = (json.loads((folder / "results.json").read_text())["policies"] for folder in (here, there))
    for name, score in before.items():
        now = name if name in after else renamed.get(name, name)
        if now not in after:
            found.lost(f"{part} policy {name}")
            continue
        for path, value in numbers(score):
            if path.startswith("choices"):
                continue  # under the names of runs; choices.csv says the same item by item
            others = dict(numbers(after[now]))
            if path in others:
                found.number(f"{part} {now}: {path.split('.')[0]}", value, others[path])
            else:
                found.lost(f"{part} {now}: {path}")


def numbers(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """The numbers inside a JSON value: (where, number)."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from numbers(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from numbers(inner, f"{path}.{place}")
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield path, float(value)


def compare_choices(part: str, here: Path, there: Path, renamed: dict[str, str], found: Findings) -> None:
    """Count the items on which a policy chose another run."""
    before, after = (table(folder / "choices.csv", ("idx",)) for folder in (here, there))
    for key, row in before.items():
        for policy, choice in row.items():
            if policy in TEXT_COLUMNS or key not in after:
                continue
            now = policy if policy in after[key] else renamed.get(policy, policy)
            if now not in after[key]:
                continue  # said of the policies already
            chosen = after[key][now]
            what = f"{part} {now}: items with another choice"
            found.largest.setdefault(what, 0.0)
            found.largest[what] += chosen not in (choice, renamed.get(choice, choice))


def compare_recordings(here: Path, there: Path, found: Findings) -> None:
    """Compare files sample by sample."""
    for path in sorted(here.rglob("*.wav")):
        name = path.relative_to(here)
        if not (there / name).is_file():
            found.lost(f"separate {name}")
            continue
        (before, rate), (after, rate_after) = (soundfile.read(folder / name) for folder in (here, there))
        if before.shape != after.shape or rate != rate_after:
            found.lost(f"separate {name}: {before.shape} at {rate} Hz, {after.shape} at {rate_after} Hz")
            continue
        found.number(f"separate {name}: samples", 0.0, float(np.abs(before - after).max()))
        noise, power = np.square(before - after).sum(), np.square(before).sum()
        ratio = 10 * math.log10(power / noise) if noise and power else math.inf
        found.notes.append(f"separate {name}: {ratio:.1f} dB SDR of the second against the first")
    for path in sorted(here.glob("*.json")):
        before, after = (
            list(json.loads((folder / path.name).read_text())["written"].values()) for folder in (here, there)
        )
        for one, other in zip((s for r in before for s in r), (s for r in after for s in r), strict=False):
            if one["adapter"] != other["adapter"]:
                found.lost(f"separate {path.stem} {one['query']}: {one['adapter']} became {other['adapter']}")
            if one["presence"]:
                what = f"separate {path.stem}: presence"
                found.number(what, one["presence"]["score"], (other["presence"] or {"score": math.nan})["score"])


def compare_training(adapter: str, here: Path, there: Path, found: Findings) -> None:
    """Compare losses, validation scores and the tensors of the adapter."""
    before, after = (table(folder / "metrics.csv", ("epoch", "step", "run")) for folder in (here, there))
    compare_rows(f"train {adapter}", before, after, found)
    for bank in ("bank", "bank_last"):
        one, other = (load_file(folder / bank / "domain0" / "adapter.safetensors") for folder in (here, there))
        for key in one.keys() ^ other.keys():
            found.lost(f"train {adapter} {bank}: tensor {key}")
        for key in one.keys() & other.keys():
            if one[key].shape != other[key].shape:
                found.lost(f"train {adapter} {bank}: {key} of shape {one[key].shape}, {other[key].shape}")
            else:
                difference = np.abs(one[key].astype(np.float64) - other[key].astype(np.float64))
                found.number(f"train {adapter}: tensors of {bank}", 0.0, float(difference.max(initial=0.0)))


if __name__ == "__main__":
    main()
