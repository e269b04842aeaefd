"""A training of the base in a few small files: the clips as Opus, and the checkpoint in half precision.

A checkpoint of the base is 16 bytes per parameter: the weights, and three moments of the optimiser. Here the weights
are float16, as they are shipped, and the moments bfloat16: half of it. 2.5 hours of clips are 36 MB at 32 kbit/s.
"""

from __future__ import annotations

import csv
import shutil
import tarfile
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from dplass_cli.audio.encoding import lossy_writer
from dplass_cli.audio.reading import read_mono
from dplass_cli.resources import resource
from dplass_cli.storage import make_folder
from tiny_models.clips import RATE, read_clips

CHECKPOINT = Path("checkpoints") / "base" / "last.ckpt"
ENCODER, BASE = Path("models") / "encoder.safetensors", Path("models") / "base.safetensors"
_MOMENTS = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
_CORPORA, _STATE, _WEIGHTS, _REST = "corpora", "state", "weights.safetensors", "rest.ckpt"


def pack(
    work: Path, corpora: Sequence[Path], folds: Collection[str], output: Path, kbps: int, part_bytes: int
) -> list[Path]:
    """Write all that the training of the base needs to go on elsewhere: the parts of one archive.

    Args:
        work: folder of ``train_tiny.py``: its encoder, or the bundled one where it has none, and the checkpoint of its
            base if there is one.
        corpora: folders of clips.
        folds: whose clips are packed.
        output: folder of the parts.
        kbps: bitrate of a clip.
        part_bytes: largest size of a part.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for corpus in corpora:
            _pack_corpus(corpus, folds, folder / _CORPORA / corpus.name, kbps)
        bundled = resource("assets/tiny/encoder.safetensors")  # what unpack uses where there is none
        if (work / ENCODER).exists() and (work / ENCODER).read_bytes() != bundled.read_bytes():
            shutil.copy(work / ENCODER, make_folder(folder / ENCODER.parent))
        if (work / CHECKPOINT).exists():
            shrink(work / CHECKPOINT, folder / _STATE)
        return split(folder, output, part_bytes)


def _pack_corpus(corpus: Path, folds: Collection[str], output: Path, kbps: int) -> None:
    """The clips of some folds, named as before so that their copies are made with the same random numbers."""
    rows = [row for row in read_clips(corpus) if row["fold"] in folds]
    for row in rows:
        audio = read_mono(corpus / "audio" / row["filename"], RATE)
        row["filename"] = f"{Path(row['filename']).stem}.opus"
        make_folder(output / "audio")
        with lossy_writer(output / "audio" / row["filename"], RATE, 1, kbps) as write:
            write(audio[None])
    with open(output / "clips.csv", "w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def unpack(parts: Sequence[Path], work: Path) -> list[Path]:
    """Make a folder for ``train_tiny.py`` of the parts of an archive, and return its corpora."""
    join(parts, work)
    if not (work / ENCODER).exists():
        shutil.copy(resource("assets/tiny/encoder.safetensors"), make_folder(work / ENCODER.parent))
    if (work / _STATE).exists():
        grow(work / _STATE, work / CHECKPOINT)
    return sorted((work / _CORPORA).iterdir()) if (work / _CORPORA).exists() else []


def pack_state(work: Path, output: Path, part_bytes: int) -> list[Path]:
    """Write what a training of the base has reached: the parts of an archive that :func:`unpack` reads."""
    with tempfile.TemporaryDirectory() as name:
        shrink(work / CHECKPOINT, Path(name) / _STATE)
        return split(Path(name), output, part_bytes)


def shrink(checkpoint: Path, folder: Path) -> None:
    """Write a checkpoint in half precision: matrices and kernels float16, moments bfloat16, the rest as it is."""
    make_folder(folder)
    state: dict[str, Any] = torch.load(checkpoint, map_location="cpu", weights_only=True)
    weights = state["state_dict"]
    save_file({name: _half(value).contiguous() for name, value in weights.items()}, folder / _WEIGHTS)
    state["state_dict"] = {}
    optimizer = state["optimizer_states"][0]["state"]
    for moment in _MOMENTS:
        tensors = {str(key): own.pop(moment).bfloat16().contiguous() for key, own in optimizer.items() if moment in own}
        if tensors:
            save_file(tensors, folder / f"{moment}.safetensors")
    torch.save(state, folder / _REST)


def _half(value: torch.Tensor) -> torch.Tensor:
    return value.half() if value.is_floating_point() and value.dim() > 1 else value


def grow(folder: Path, checkpoint: Path) -> None:
    """Write the checkpoint of which :func:`shrink` made ``folder``, in float32 again."""
    state: dict[str, Any] = torch.load(folder / _REST, weights_only=True)
    state["state_dict"] = {name: _whole(value) for name, value in load_file(folder / _WEIGHTS).items()}
    for moment in _MOMENTS:
        if (folder / f"{moment}.safetensors").exists():
            for key, value in load_file(folder / f"{moment}.safetensors").items():
                state["optimizer_states"][0]["state"][int(key)][moment] = _whole(value)
    make_folder(checkpoint.parent)
    torch.save(state, checkpoint.with_suffix(".new"))
    checkpoint.with_suffix(".new").replace(checkpoint)


def _whole(value: torch.Tensor) -> torch.Tensor:
    return value.float() if value.is_floating_point() else value


def split(folder: Path, output: Path, part_bytes: int) -> list[Path]:
    """Write the content of a folder as the parts of one archive: ``part.000`` …"""
    make_folder(output)
    for old in output.glob("part.*"):
        old.unlink()
    with tempfile.TemporaryFile() as archive:
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for path in sorted(folder.iterdir()):
                tar.add(path, path.name)
        archive.seek(0)
        parts: list[Path] = []
        while content := archive.read(part_bytes):
            parts.append(output / f"part.{len(parts):03d}")
            parts[-1].write_bytes(content)
    return parts


def join(parts: Sequence[Path], folder: Path) -> None:
    """Write the files of an archive, given by all of its parts in any order."""
    with tempfile.TemporaryFile() as archive:
        for part in sorted(parts, key=lambda part: part.name):
            archive.write(part.read_bytes())
        archive.seek(0)
        with tarfile.open(fileobj=archive) as tar:
            tar.extractall(make_folder(folder), filter="data")
