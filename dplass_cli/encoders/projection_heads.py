"""Projection heads: a small trainable correction of the embeddings of a frozen encoder, such as CLAP."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dplass_cli.encoders.base import QueryEncoder
from dplass_cli.options.encoder_settings import HeadsConfig
from dplass_cli.weights.checkpoint_files import tensors_sha256


class ProjectionHead(nn.Module):
    """x + W₂·gelu(W₁·x), with W₂ zero at first: an untrained head changes nothing."""

    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.down = nn.Linear(size, hidden)
        self.up = nn.Linear(hidden, size)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, embeddings: Tensor) -> Tensor:
        """Project embeddings, float32 (N, D): (N, D), unit norm."""
        return F.normalize(embeddings + self.up(F.gelu(self.down(embeddings))), dim=-1)


class ProjectionHeads(nn.Module):
    """One head for sentences and one for sounds."""

    def __init__(self, config: HeadsConfig) -> None:
        super().__init__()
        self.config = config
        self.text = ProjectionHead(config.size, config.hidden)
        self.audio = ProjectionHead(config.size, config.hidden)


class ProjectedEncoder:
    """A frozen encoder and its heads; implements :class:`~dplass_cli.encoders.base.QueryEncoder`."""

    def __init__(self, frozen: QueryEncoder, heads: ProjectionHeads) -> None:
        self.frozen, self.heads = frozen, heads
        self.name = f"{frozen.name}+heads"
        self.size, self.sample_rate, self.windows = frozen.size, frozen.sample_rate, frozen.windows
        self.embeds_audio = frozen.embeds_audio

    def __repr__(self) -> str:
        return f"ProjectedEncoder({self.frozen!r})"

    @property
    def kinds(self) -> tuple[str, ...]:
        return self.frozen.kinds

    @cached_property
    def fingerprint(self) -> str:
        return tensors_sha256(self.heads.state_dict(), self.frozen.fingerprint)

    @torch.inference_mode()
    def embed_text(self, sentences: Sequence[str]) -> Tensor:
        """See :class:`~dplass_cli.encoders.base.QueryEncoder`."""
        return self._project(self.heads.text, self.frozen.embed_text(sentences))

    @torch.inference_mode()
    def embed_audio(self, waveforms: Tensor | Sequence[Tensor], sample_rate: int) -> Tensor:
        """See :class:`~dplass_cli.encoders.base.QueryEncoder`; errors are those of the frozen encoder."""
        return self._project(self.heads.audio, self.frozen.embed_audio(waveforms, sample_rate))

    def out_of_vocabulary(self, sentence: str) -> str | None:
        """See :class:`~dplass_cli.encoders.base.QueryEncoder`."""
        return self.frozen.out_of_vocabulary(sentence)

    def _project(self, head: ProjectionHead, embeddings: Tensor) -> Tensor:
        # One embedding at a time: the order of summation depends on the batch size, and embeddings must not.
        device = head.up.weight.device
        return torch.cat([head(row[None].to(device)).cpu() for row in embeddings])
