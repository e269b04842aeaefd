"""Continue the training of the bundled base on another machine, such as a GPU that is lent for ten minutes.

    python scripts/train_elsewhere.py pack WORK PARTS --corpus FOLDER --corpus FOLDER
    python scripts/train_elsewhere.py train WORK PARTS/part.* --minutes 8 --output RESULT     (there)
    python scripts/train_elsewhere.py fetch WORK RESULT/part.*

``pack`` writes the clips, the encoder (unless it is the bundled one) and the last checkpoint as files of at most
``--part-mib``. ``train`` trains with them in bfloat16 and writes the new checkpoint as such files, and ``fetch`` puts
it into WORK, where ``train_tiny.py`` goes on. Where the clips of an earlier turn are still in the other WORK, ``pack``
needs no ``--corpus``. The stages after the base are trained by ``train_tiny.py``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from tiny_models.packing import CHECKPOINT, pack, pack_state, unpack

MIB = 1 << 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    packing = verbs.add_parser("pack", help="write WORK's clips, encoder and checkpoint as small files")
    packing.add_argument("work", type=Path)
    packing.add_argument("parts", type=Path, help="folder of the files")
    packing.add_argument("--corpus", type=Path, action="append", default=[], help="folder of clips; may be repeated")
    packing.add_argument("--folds", default="1,2,3")
    packing.add_argument("--kbps", type=int, default=32, help="bitrate of the clips, kbit/s")
    training = verbs.add_parser("train", help="train with such files")
    training.add_argument("work", type=Path)
    training.add_argument("parts", type=Path, nargs="+")
    training.add_argument("--minutes", type=float, default=8.0)
    training.add_argument("--base-steps", type=int, default=30_000, help="until the end of the schedule")
    training.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 1) - 1))
    training.add_argument("--output", type=Path, required=True, help="folder of the new checkpoint")
    fetching = verbs.add_parser("fetch", help="put a checkpoint that was trained elsewhere into WORK")
    fetching.add_argument("work", type=Path)
    fetching.add_argument("parts", type=Path, nargs="+")
    for verb in (packing, training):
        verb.add_argument("--part-mib", type=float, default=15.0, help="largest size of a file")
    asked = parser.parse_args()
    if asked.verb == "pack":
        size = round(asked.part_mib * MIB)
        corpora = [corpus.absolute() for corpus in asked.corpus]
        _print(pack(asked.work, corpora, asked.folds.split(","), asked.parts, asked.kbps, size))
    elif asked.verb == "train":
        corpora = unpack(asked.parts, asked.work)
        command = [sys.executable, str(Path(__file__).with_name("train_tiny.py")), str(asked.work), "--stage", "base"]
        for corpus in corpora:
            command += ["--corpus", str(corpus)]
        command += ["--minutes", str(asked.minutes), "--workers", str(asked.workers)]
        subprocess.run([*command, "--base-steps", str(asked.base_steps)], check=True)
        _print(pack_state(asked.work, asked.output, round(asked.part_mib * MIB)))
    else:
        unpack(asked.parts, asked.work)
        print(f"{asked.work / CHECKPOINT}: train_tiny.py continues with it")


def _print(parts: list[Path]) -> None:
    for part in parts:
        print(f"{part}: {part.stat().st_size / MIB:.1f} MiB")


if __name__ == "__main__":
    main()
