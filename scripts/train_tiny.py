"""Train the bundled models from real clips (folds 1 to 3) and the built-in sounds: encoder, base, seven adapters.

    python scripts/train_tiny.py DATA WORK [--stage encoder|base|adapters|gains] [--output dplass_cli/assets/tiny]

DATA is a folder with clips.csv and audio/ (see docs/tiny.md); fold 4 is never read. WORK receives 32 kHz copies,
checkpoints and logs. Completed steps are not repeated, and base and adapters resume at their last checkpoints.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from dplass_cli.domains.partition_folder import read_partition
from dplass_cli.encoders import TinyEncoder, TinyEncoderConfig, save_tiny_encoder
from dplass_cli.storage import make_folder
from tiny_models.clips import Sound, prepare
from tiny_models.gains import cross_validate, write_gains
from tiny_models.networks import DOMAINS, make_partition, train_adapters, train_base
from tiny_models.space import find_anchors
from tiny_models.towers import fit_audio, fit_text
from tiny_models.wordings import Wordings, read_wordings


def train_encoder(
    found: list[Sound], wordings: Wordings, work: Path, output: Path, space: int, text: int, audio: int
) -> None:
    """Find the anchors, fit both towers to them, and write the encoder."""
    anchors = _once(work / "anchors.pt", lambda: find_anchors(found, wordings, space))
    config, table = TinyEncoderConfig(kinds=tuple(anchors)), torch.stack(list(anchors.values()))
    encoder = TinyEncoder(config)
    encoder.text.load_state_dict(_once(work / "text.pt", lambda: fit_text(config, table, wordings, text).state_dict()))
    encoder.audio.load_state_dict(_once(work / "audio.pt", lambda: fit_audio(config, table, found, audio).state_dict()))
    save_tiny_encoder(output, encoder.eval())


def _once(path: Path, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """The tensors of a file, which is created if it does not exist."""
    if not path.exists():
        torch.save(make(), path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)
    tensors: dict[str, Tensor] = torch.load(path, weights_only=True)
    return tensors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--output", type=Path, help="folder of the finished models; default: WORK/models")
    parser.add_argument("--folds", default="1,2,3", help="folds to train on; leave one out to choose settings")
    parser.add_argument("--stage", choices=["all", "encoder", "base", "adapters", "gains"], default="all")
    parser.add_argument("--space-steps", type=int, default=1500)
    parser.add_argument("--text-steps", type=int, default=1500)
    parser.add_argument("--audio-steps", type=int, default=1600)
    parser.add_argument("--base-steps", type=int, default=5000)
    parser.add_argument(
        "--gains-base-steps", type=int, default=2500, help="of the base that gains are measured against"
    )
    parser.add_argument("--adapter-steps", type=int, default=400)
    parser.add_argument("--mixtures", type=int, default=144, help="number of mixtures that gains are measured on")
    parser.add_argument(
        "--only", default=",".join(map(str, range(DOMAINS))), help="train only the adapters of these domains"
    )
    arguments = parser.parse_args()
    work, models = make_folder(arguments.work), make_folder(arguments.output or arguments.work / "models")
    found, wordings = prepare(arguments.data, work, arguments.folds.split(",")), read_wordings(arguments.data)
    encoder = models / "encoder.safetensors"
    if arguments.stage in ("all", "encoder"):
        steps = arguments.space_steps, arguments.text_steps, arguments.audio_steps
        train_encoder(found, wordings, work, encoder, *steps)
    if arguments.stage in ("all", "base"):
        train_base(found, wordings, encoder, work, models / "base.safetensors", arguments.base_steps)
    if arguments.stage in ("all", "adapters"):
        only = {int(number) for number in arguments.only.split(",")}
        domains = make_partition(found, encoder, work)
        train_adapters(found, domains, models, work, arguments.adapter_steps, only)
    if arguments.stage in ("all", "gains"):
        gains = cross_validate(
            arguments.data,
            found,
            wordings,
            read_partition(work / "partition"),
            encoder,
            make_folder(work / "gains"),
            (arguments.gains_base_steps, arguments.adapter_steps),
            arguments.mixtures,
        )
        write_gains(models / "bank", gains)


if __name__ == "__main__":
    main()
