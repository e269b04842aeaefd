"""Compare two query encoders on the clips of a manifest, item by item (docs/encoder.md).

    python scripts/compare_encoders.py MANIFEST ENCODER OTHER

An ENCODER is a name or a file. Both are measured in both directions, clips by captions as ``dplass retrieve --eval``
does, and captions by clips: is the nearest caption of a clip its own? Intervals are 95% percentile intervals of a
bootstrap over captions or clips; those of differences are paired.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dplass_cli.data.manifest import Row, read_manifest
from dplass_cli.domains.features import clip_of
from dplass_cli.encoders import QueryEncoder, load_encoder
from dplass_cli.encoders.clips import Clip, embed_clips
from dplass_cli.evaluation.retrieval import evaluate_retrieval
from dplass_cli.evaluation.statistics import bootstrap, interval

Values = npt.NDArray[np.float64]


def measure(rows: Sequence[Row], encoder: QueryEncoder) -> dict[str, Values]:
    """{measure: its value for each caption or clip}."""
    own: dict[Clip, set[str]] = {}
    for row in rows:
        own.setdefault(clip_of(row), set()).add(row.caption)
    captions = sorted({row.caption for row in rows})
    sounds = np.stack([vector for _, vector in embed_clips(list(own), encoder)])
    texts = encoder.embed_text(captions).numpy()
    relevant = [{place for place, named in enumerate(own.values()) if caption in named} for caption in captions]
    found = [evaluate_retrieval(text[None], [wanted], sounds) for text, wanted in zip(texts, relevant, strict=True)]
    nearest = (sounds @ texts.T).argmax(axis=1)
    return {
        "own caption nearest to the clip": np.array(
            [captions[place] in named for place, named in zip(nearest, own.values(), strict=True)], dtype=np.float64
        ),
        **{f"R@{k}": np.array([each.recall[k] for each in found]) for k in (1, 5, 10)},
        "mAP@10": np.array([each.map10 for each in found]),
    }


def shown(values: Values) -> str:
    """The mean of values and its interval, as percentages."""
    low, high = interval(bootstrap("mean", 100 * values[:, None], [])[:, 0])
    return f"{100 * values.mean():.1f} [{low:.1f}, {high:.1f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("encoder")
    parser.add_argument("other")
    asked = parser.parse_args()
    rows = read_manifest(asked.manifest)
    one, two = (measure(rows, load_encoder(name)) for name in (asked.encoder, asked.other))
    print(f"| % | items | {asked.encoder} | {asked.other} | difference |\n|---|---:|---:|---:|---:|")
    for name, values in one.items():
        print(f"| {name} | {len(values)} | {shown(values)} | {shown(two[name])} | {shown(two[name] - values)} |")


if __name__ == "__main__":
    main()
