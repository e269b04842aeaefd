"""What all of AudioSet takes: bytes, requests, hours and cost, from measured rates per item. Writes docs/scale.md.

    python scripts/scale.py --measure              measure the rates on one core of this machine (a minute)
    python scripts/scale.py                        write docs/scale.md from scripts/scale_rates.json
    python scripts/scale.py --print --epochs 150 --gpu-hour 3.1

Every assumption is an argument, and so are the prices, whose defaults are examples.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dplass_cli.encoders.laion import LaionEncoder

PAGE, RATES = Path(__file__).parents[1] / "docs" / "scale.md", Path(__file__).with_name("scale_rates.json")
MARK = "<!-- written by scripts/scale.py from here on -->\n"
DAY = 24.0


@dataclass(frozen=True)
class Rates:
    """Measured per item, a clip of 10 s unless it says otherwise. Seconds are CPU seconds of one core.

    Attributes:
        header_s: checking a header.
        decode_s: decoding and checking every sample of a FLAC at 44.1 kHz.
        convert_s: making the copy at 32 kHz.
        copy_bytes: the copy.
        source_bytes: the FLAC at 44.1 kHz.
        sample_s: reading a training sample: 2 s of a target and of an interferer, from copies.
        lookup_s: finding one embedding in the cache, at ``partition``.
        caption_s: embedding a caption with CLAP.
        clap_s: embedding a clip with CLAP, without reading it.
        clap_macs: multiply-accumulates of the same.
        network_macs: multiply-accumulates of the full network per second of audio.
        row_bytes: memory of a row of the manifest in a process.
        manifest_bytes: the same row in the file.
    """

    header_s: float
    decode_s: float
    convert_s: float
    copy_bytes: float
    source_bytes: float
    sample_s: float
    lookup_s: float
    caption_s: float
    clap_s: float
    clap_macs: float
    network_macs: float
    row_bytes: float
    manifest_bytes: float


def per_item(work: Callable[[], object], items: int) -> float:
    """CPU seconds per item; CPU time, because it hardly depends on what else the machine does."""
    work()
    start = time.process_time()
    work()
    return (time.process_time() - start) / items


def measure(clips: int = 12) -> Rates:
    """Measure the rates on one core."""
    import numpy as np
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from benchmarks.embedding import clap
    from dplass_cli.audio.writing import write_audio
    from dplass_cli.data.manifest import Row, read_manifest, write_manifest
    from dplass_cli.data.ontology import kinds_of
    from dplass_cli.data.prepare.checking import check_clip
    from dplass_cli.data.prepare.converting import SourceRange, convert_clips
    from dplass_cli.data.samples import SourceClip, TrainingSamples
    from dplass_cli.encoders.cache import EmbeddingCache, embedding_key
    from dplass_cli.models.flops import layer_costs
    from dplass_cli.options.data_settings import DataSettings
    from dplass_cli.options.network_settings import ResUNet30Config
    from dplass_cli.sounds import render
    from dplass_cli.storage import no_progress

    torch.set_num_threads(1)
    names = ("rain", "dog_bark", "siren", "flute")
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{names[number % 4]}{number}.flac" for number in range(clips)]
        for number, file in enumerate(files):
            write_audio(file, render(names[number % 4], 6000 + number, 10.0, 44100)[None], 44100, "PCM_16")
        sources = [SourceRange(str(file)) for file in files]
        header_s = per_item(lambda: [check_clip(file, "header") for file in files], clips)
        decode_s = per_item(lambda: [check_clip(file, "decode") for file in files], clips)
        turn = iter(range(10))
        convert_s = per_item(
            lambda: convert_clips(sources, Path(folder) / f"copies{next(turn)}", "32k-mono-flac", no_progress), clips
        )
        copies = list((Path(folder) / "copies1").rglob("*.flac"))
        rows = [Row(copy, name, id=copy.stem) for copy, name in zip(copies, names * clips, strict=False)]
        drawn = [SourceClip(row, kinds_of([row.caption]), (0,)) for row in rows]
        samples = TrainingSamples(drawn, {0: drawn}, torch.ones(1, 8), DataSettings(), 0)
        sample_s = per_item(lambda: [samples[number] for number in range(4 * clips)], 4 * clips)
        encoder = clap(torch.device("cpu"))
        cache, keys = EmbeddingCache(Path(folder) / "cache", encoder), [embedding_key(n) for n in range(20000)]
        cache.add(keys, np.ones((len(keys), encoder.size), np.float32))
        cache.refresh()
        lookup_s = per_item(lambda: [cache.get(keys[first : first + 4096]) for first in range(0, 20000, 4096)], 20000)
        window = torch.randn(1, 480000)
        with torch.inference_mode():
            clap_s = per_item(lambda: encoder._embed_windows(window), 1)
            with FlopCounterMode(display=False) as counter:
                encoder._embed_windows(window)
        count = 20000
        manifest = Path(folder) / "train.json"
        write_manifest(
            manifest,
            [
                Row(Path(f"/data/part{n % 60}/Y{n:011d}.flac"), names[n % 4], ("/m/0bt9lr",), f"{n:011d}")
                for n in range(count)
            ],
        )
        tracemalloc.start()
        kept = read_manifest(manifest)
        row_bytes = tracemalloc.get_traced_memory()[0] / len(kept)
        tracemalloc.stop()
        return Rates(
            header_s=header_s,
            decode_s=decode_s,
            convert_s=convert_s,
            copy_bytes=sum(copy.stat().st_size for copy in copies) / clips,
            source_bytes=sum(file.stat().st_size for file in files) / clips,
            sample_s=sample_s,
            lookup_s=lookup_s,
            caption_s=_caption_seconds(encoder),
            clap_s=clap_s,
            clap_macs=counter.get_total_flops() / 2,
            network_macs=sum(cost.macs_per_second for cost in layer_costs(ResUNet30Config())),
            row_bytes=row_bytes,
            manifest_bytes=manifest.stat().st_size / count,
        )


def _caption_seconds(encoder: LaionEncoder) -> float:
    """Embedding a caption of sixteen tokens; the tokenizer, which needs its files, is left out."""
    import torch

    tokens = {"input_ids": torch.full((1, 16), 5), "attention_mask": torch.ones(1, 16, dtype=torch.long)}
    with torch.inference_mode():
        return per_item(lambda: encoder._embed_tokens(tokens), 1)


@dataclass(frozen=True)
class Stage:
    """One step of the work over all clips.

    Attributes:
        name: the command.
        core_hours: of CPU cores.
        gpu_hours: of GPUs.
        read: bytes.
        written: bytes.
        requests: files opened and written.
        workers: of a number of GPUs with their cores, how many work on it all the time.
    """

    name: str
    core_hours: float
    gpu_hours: float
    read: float
    written: float
    requests: float
    workers: Callable[[int], float] = float


def stages(rates: Rates, given: argparse.Namespace) -> list[Stage]:
    """The steps in their order."""
    clips, hours = given.clips, given.clips / 3600
    cores: int = given.cores
    gpu = 3600 * given.tflops * 1e12 * given.utilisation / 2  # multiply-accumulates per GPU hour
    samples = clips * given.epochs

    def one_core(gpus: int) -> float:
        return 1 / cores

    def seven_domains(gpus: int) -> float:
        """From seven GPUs on, each domain has equally many, and the largest domain ends last."""
        return gpus if gpus < 7 else gpus // 7 / given.largest

    vectors = clips * 512 * 4
    return [
        Stage("prepare, headers", hours * rates.header_s, 0, clips * 8192, clips * rates.manifest_bytes, clips),
        Stage("prepare --check decode", hours * rates.decode_s, 0, clips * rates.source_bytes, 0, clips),
        Stage(
            "prepare --convert",
            hours * rates.convert_s,
            0,
            clips * rates.source_bytes,
            clips * rates.copy_bytes,
            2 * clips,
        ),
        Stage(
            "embed",
            hours * rates.decode_s,
            clips * rates.clap_macs / gpu,
            clips * rates.copy_bytes,
            vectors,
            clips,
        ),
        Stage(
            "partition", hours * rates.lookup_s + given.captions * rates.caption_s / 3600, 0, vectors, 0, 2, one_core
        ),
        Stage(
            f"train, {given.epochs} epochs",
            samples * rates.sample_s / 3600,
            # forward, gradient of the activations, gradient of the weights that the adapter changes
            3 * samples * given.segment * rates.network_macs / gpu,
            2 * samples * given.segment / 10 * rates.copy_bytes,
            0,
            2 * samples,
            seven_domains,
        ),
    ]


def hours_on(stage: Stage, gpus: int, given: argparse.Namespace) -> float:
    """Hours on a number of GPUs with their cores: whichever of the two takes longer."""
    workers = stage.workers(gpus)
    cores: int = given.cores
    return max(stage.gpu_hours / workers, stage.core_hours / (workers * cores))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def number(value: float) -> str:
    """Two or three significant digits."""
    if value < 0.001:
        return "< 0.001" if value else "0"
    digits = max(0, 1 - math.floor(math.log10(abs(value)))) if value < 100 else 0
    return f"{round(value, digits):,.{digits}f}"


def text(rates: Rates, given: argparse.Namespace) -> str:
    """The tables of the page."""
    steps = stages(rates, given)
    rows: list[tuple[str, ...]] = [
        (
            step.name,
            number(step.core_hours),
            number(step.gpu_hours),
            number(step.read / 1e12),
            number(step.written / 1e12),
            number(step.requests / 1e6),
        )
        for step in steps
    ]
    totals = [
        sum(values)
        for values in zip(*((s.core_hours, s.gpu_hours, s.read, s.written, s.requests) for s in steps), strict=True)
    ]
    scaled = [totals[0], totals[1], totals[2] / 1e12, totals[3] / 1e12, totals[4] / 1e6]
    rows.append(("all", *map(number, scaled)))
    work = table(("step", "core hours", "GPU hours", "TB read", "TB written", "million requests"), rows)
    machines = (1, 8, 64)
    times = [(step.name, *(number(hours_on(step, gpus, given)) for gpus in machines)) for step in steps]
    sums = [sum(hours_on(step, gpus, given) for step in steps) for gpus in machines]
    times += [("all", *map(number, sums)), ("all, days", *(number(total / DAY) for total in sums))]
    wall = table(("step", *(f"hours on {gpus} GPU{'s' if gpus > 1 else ''}" for gpus in machines)), times)
    train = steps[-1]
    limits = []
    for gpus in machines:
        seconds = 3600 * hours_on(train, gpus, given)
        items = given.clips * given.epochs / seconds
        limits.append(
            (
                str(gpus),
                number(items),
                number(items * rates.sample_s / gpus),
                number(train.requests / seconds),
                number(train.read / seconds / 1e6),
                number(given.clips * rates.row_bytes * gpus / 1e9),
            )
        )
    load = table(
        ("GPUs", "items/s", "cores per GPU that only read", "requests/s", "MB/s", "GB of manifest in memory"), limits
    )
    parts = ["## Work\n", work, "## Time\n", wall, "## Load while training\n", load]
    parts += ["## Cost\n", _costs(steps, rates, given, dict(zip(machines, sums, strict=True)), totals[4])]
    measured = table(("rate", "measured"), [(key, f"{value:.4g}") for key, value in asdict(rates).items()])
    assumed = table(
        ("assumption", "value"),
        [(f"`--{key.replace('_', '-')}`", str(value)) for key, value in vars(given).items() if key in ASSUMED],
    )
    return "\n".join([*parts, "## Rates\n", measured, "## Assumptions\n", assumed])


def _costs(
    steps: Sequence[Stage], rates: Rates, given: argparse.Namespace, hours: Mapping[int, float], requests: float
) -> str:
    """What the work costs. GPUs are paid until the last is done: ``hours`` of the whole on so many of them."""
    stored = given.clips * (rates.source_bytes + rates.copy_bytes + 512 * 4) / 1e9
    preparing = sum(step.core_hours for step in steps if step.name.startswith("prepare"))
    priced = [
        (f"{gpus} GPU{'s' if gpus > 1 else ''} for {number(time)} hours", gpus * time, "GPU hours", given.gpu_hour)
        for gpus, time in hours.items()
    ]
    priced += [
        ("prepare, on cores without a GPU", preparing, "core hours", given.core_hour),
        ("sources, copies and embeddings, for a month", stored, "GB", given.gb_month),
        ("all requests, if an object store answers them", requests / 1e6, "million", given.million_requests),
    ]
    return table(
        ("what", "amount", "price of one", "cost"),
        [(what, f"{number(count)} {unit}", f"{price:g}", number(count * price)) for what, count, unit, price in priced],
    )


ASSUMED = ("clips", "captions", "epochs", "segment", "largest", "tflops", "utilisation", "cores")


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true", help=f"measure the rates and write {RATES.name}")
    parser.add_argument("--print", action="store_true", help="print the tables instead of writing the page")
    parser.add_argument("--clips", type=int, default=2_084_320, help="clips of 10 s")
    parser.add_argument("--captions", type=int, default=527, help="distinct captions")
    parser.add_argument("--epochs", type=int, default=10, help="of every adapter over its domain")
    parser.add_argument("--segment", type=float, default=2.0, help="seconds of a training item")
    parser.add_argument("--largest", type=float, default=0.3, help="share of the clips in the largest domain")
    parser.add_argument(
        "--tflops", type=float, default=312.0, help="peak of a GPU; NVIDIA's data sheet of the A100, bf16"
    )
    parser.add_argument("--utilisation", type=float, default=0.2, help="share of the peak that is reached")
    parser.add_argument("--cores", type=int, default=8, help="CPU cores per GPU")
    parser.add_argument("--gpu-hour", type=float, default=2.5, help="price of a GPU, with its cores, for an hour")
    parser.add_argument("--core-hour", type=float, default=0.05, help="price of a core for an hour")
    parser.add_argument("--gb-month", type=float, default=0.023, help="price of a GB of storage for a month")
    parser.add_argument("--million-requests", type=float, default=0.4, help="price of a million requests")
    return parser


def main() -> None:
    given = parser().parse_args()
    if given.measure:
        RATES.write_text(json.dumps(asdict(measure()), indent=1) + "\n", encoding="utf-8")
    tables = text(Rates(**json.loads(RATES.read_text(encoding="utf-8"))), given)
    if given.print:
        print(tables)
    else:
        PAGE.write_text(PAGE.read_text(encoding="utf-8").partition(MARK)[0] + MARK + "\n" + tables, encoding="utf-8")


if __name__ == "__main__":
    main()
