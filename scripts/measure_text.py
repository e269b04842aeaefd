"""Measure how encoders read wordings and words that were kept out of training (docs/tiny.md, docs/encoder.md).

    python scripts/measure_text.py ENCODER [ENCODER …]

An ENCODER is tiny, minilm or a file of one of them (``encoder.safetensors``, ``minilm.safetensors``).
"""

from __future__ import annotations

import argparse
import random

import numpy as np

from dplass_cli.encoders import MiniLMEncoder, TinyEncoder, load_encoder
from dplass_cli.encoders.vocabulary import KNOWN
from tiny_models.kinds import editors_words, held_out, held_out_words, made_up, ordinary_wordings, read_kinds

MADE_UP = 200


def measure(encoder: TinyEncoder | MiniLMEncoder) -> dict[str, str]:
    """{figure: its value in words}."""

    def best(text: str) -> tuple[str, float]:
        return next(iter(encoder.kinds_of(text).items()))

    own = {wording: kind for kind, wordings in held_out().items() for wording in wordings}
    read = {wording: best(wording) for wording in own}
    right = [read[wording][0] == kind for wording, kind in own.items()]
    known = {wording for wording, (_, probability) in read.items() if probability >= KNOWN}
    sure = [read[wording][0] == own[wording] for wording in known]
    anchors = dict(zip(encoder.kinds, encoder.embed_text(encoder.kinds), strict=True))
    cosines = [float(encoder.embed_text([wording])[0] @ anchors[kind]) for wording, kind in own.items()]
    ordinary = [(kind, best(wording)[0]) for kind, wordings in ordinary_wordings().items() for wording in wordings]
    same = [kind == found for kind, found in ordinary]
    sets = {kind.name: kind.alike_sets for kind in read_kinds()[0]}
    alike = [bool(sets[kind] & sets[found]) for kind, found in ordinary]
    words, editors = held_out_words(), editors_words()
    missing = [word for word in editors if encoder.out_of_vocabulary(word)]
    related = [best(word)[0] in kinds for word, kinds in words.items()]
    names = [best(kind.name)[0] == kind.name for kind in read_kinds()[0]]
    rng = random.Random(5)
    refused = [best(made_up(rng))[1] < KNOWN for _ in range(MADE_UP)]
    return {
        "names of kinds assigned to their own kind": f"{np.mean(names):.1%} of {len(names)}",
        "ordinary wordings assigned to their own kind": f"{np.mean(same):.1%} of {len(same)}",
        "… or to one that sounds alike": f"{np.mean(alike):.1%}",
        "held-out wordings assigned to their own kind": f"{np.mean(right):.1%} of {len(right)}",
        "… of those that count as known": f"{np.mean(sure):.1%} of {len(sure)}",
        "mean cosine to the embedding of the kind's name": f"{np.mean(cosines):.3f}",
        "held-out words assigned to a related kind": f"{sum(related)} of {len(related)}",
        "held-out words that count as known": f"{sum(best(word)[1] >= KNOWN for word in words)} of {len(words)}",
        "words of sound editors that are unknown": f"{len(missing)} of {len(editors)} ({', '.join(missing)})",
        "made-up words that count as unknown": f"{sum(refused)} of {MADE_UP}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoder", nargs="+")
    found = {}
    for name in parser.parse_args().encoder:
        encoder = load_encoder(name)
        if not isinstance(encoder, (TinyEncoder, MiniLMEncoder)) or not encoder.kinds:
            parser.error(f"{name}: has no kinds of sound to assign sentences to")
        found[name] = measure(encoder)
    print(f"| | {' | '.join(found)} |\n|---|{'---:|' * len(found)}")
    for figure in next(iter(found.values())):
        print(f"| {figure} | {' | '.join(values[figure] for values in found.values())} |")


if __name__ == "__main__":
    main()
