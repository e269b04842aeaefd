"""The separation core: the only code that runs the network on a mixture.

The separator, the evaluator, the page and the scripts all go through :class:`SeparationCore`, so the figure in a table
and the file on a disk come from the same code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from dplass_cli.encoders import QueryEncoder
from dplass_cli.errors import RunError
from dplass_cli.models.base import Analysis
from dplass_cli.separation.bank import Activation, AdapterBank


class NonFiniteOutput(RunError):
    """A separated signal contains NaN or infinity.

    Attributes:
        activation: what was active: an adapter, a weighted sum of adapters, or None for the base.
        mixture: the row of the mixture in its batch.
    """

    def __init__(self, activation: Activation, mixture: int) -> None:
        blend = f"the blend of {', '.join(activation)}" if activation else "the base model"
        source = f"adapter {activation!r}" if isinstance(activation, str) else blend
        super().__init__(
            f"{source} produced samples that are NaN or infinite; check the recording's level and"
            " the checkpoint, or use --precision 32-true"
        )
        self.activation, self.mixture = activation, mixture

    def of(self, source: object) -> RunError:
        """The same error, naming the recording or item that it occurred in."""
        return RunError(f"{source}: {self}")


@dataclass(frozen=True)
class Request:
    """One signal to separate.

    Attributes:
        condition: embedding of the query, float32 (D,).
        activation: the adapters under which the network runs.
        mixture: the row of the mixture in its batch.
    """

    condition: Tensor
    activation: Activation
    mixture: int = 0


@dataclass(frozen=True)
class Prepared:
    """A batch of mixtures with their transform, which all requests share.

    Attributes:
        mixtures: float32 (B, C, n) at the network's rate, as they were given.
        analysis: of the B·C channels; features of B mixtures where their channels are separated together.
    """

    mixtures: Tensor
    analysis: Analysis


class SeparationCore:
    """Runs a base and its adapters on mixtures at the network's sample rate.

    Args:
        bank: the base and its adapters; the core changes which of them is active.
        shared_mask: one mask for all channels, from the mean of their energies; otherwise one mask per channel. The
            same for networks that separate several channels together.
        bfloat16: run the convolutions in bfloat16.
        batch_size: the most requests in one forward pass. Multichannel mixtures with a shared mask take one at a time.
    """

    def __init__(
        self, bank: AdapterBank, shared_mask: bool = True, bfloat16: bool = False, batch_size: int = 1
    ) -> None:
        self.bank, self.shared_mask, self.bfloat16, self.batch_size = bank, shared_mask, bfloat16, batch_size

    @property
    def device(self) -> torch.device:
        return self.bank.device

    @torch.inference_mode()
    def prepare(self, mixtures: Tensor) -> Prepared:
        """Transform mixtures float32 (B, C, n) of one length, n at least 1."""
        network = self.bank.network
        channels, length = mixtures.shape[1:]
        # n_fft samples are the shortest signal that the transform takes; the padding is cropped in :meth:`separate`.
        padded = F.pad(mixtures, (0, max(0, network.config.n_fft - length))).to(self.device)
        together = channels == network.config.audio_channels
        analysis = network.analyse(padded if together else padded.flatten(0, 1)[:, None])
        if self.shared_mask and channels > 1:
            analysis = network.share_mask(analysis, channels)
        return Prepared(mixtures, analysis)

    @torch.inference_mode()
    def separate(self, prepared: Prepared, requests: Sequence[Request]) -> Tensor:
        """Separate what is requested: float32 (R, C, n) of R requests, on the network's device.

        Raises:
            NonFiniteOutput: an output contains NaN or infinity.
        """
        _, channels, length = prepared.mixtures.shape
        outputs = torch.empty(len(requests), channels, length, device=self.device)
        together = 1 if self.shared_mask and channels > 1 else self.batch_size
        distinct: list[Activation] = []  # a mapping is not hashable
        for request in requests:
            if request.activation not in distinct:
                distinct.append(request.activation)
        # Each adapter is merged once, and what is active already comes first.
        for activation in sorted(distinct, key=lambda activation: activation != self.bank.active):
            if self.bank.active != activation:
                self.bank.activate(activation)
            rows = [row for row, request in enumerate(requests) if request.activation == activation]
            for first in range(0, len(rows), together):
                chunk = rows[first : first + together]
                outputs[chunk] = self._forward(prepared, [requests[row] for row in chunk], channels)[..., :length]
            finite = torch.isfinite(outputs[rows]).flatten(1).all(dim=1).tolist()
            if not all(finite):
                raise NonFiniteOutput(activation, requests[rows[finite.index(False)]].mixture)
        return outputs

    def _forward(self, prepared: Prepared, requests: Sequence[Request], channels: int) -> Tensor:
        """One forward pass: (R, C, padded length)."""
        analysis, device = prepared.analysis, self.device
        parts = len(analysis.features) // len(prepared.mixtures)  # of a mixture: 1, or its channels
        mixtures = [request.mixture for request in requests]
        if mixtures != list(range(len(prepared.mixtures))):
            analysis = Analysis(
                _select(analysis.spectrum, mixtures, channels),
                _select(analysis.features, mixtures, parts),
                analysis.length,
            )
        conditions = torch.stack([request.condition for request in requests]).to(device).repeat_interleave(parts, dim=0)
        with torch.autocast(device.type, torch.bfloat16, enabled=self.bfloat16):
            separated: Tensor = self.bank.network(analysis, conditions)
        return separated.float().reshape(len(requests), channels, -1)


def _select(stacked: Tensor, mixtures: list[int], per_mixture: int) -> Tensor:
    """The parts (R·P, …) of some mixtures, of parts (B·P, …) of all."""
    if len(mixtures) == 1:  # a view: nothing is copied
        return stacked[mixtures[0] * per_mixture : (mixtures[0] + 1) * per_mixture]
    return stacked.reshape(-1, per_mixture, *stacked.shape[1:])[mixtures].flatten(0, 1)


class OutputEmbedding:
    """The audio embeddings of separated signals at ``sample_rate`` Hz, accumulated window by window.

    This defines what the policy ``audio`` and the evaluations' ``similarity`` look at: each window's output, including
    its context, is embedded as mono; the mean over the windows is weighted by the samples that each contributes.
    """

    def __init__(self, encoder: QueryEncoder, sample_rate: int) -> None:
        self._encoder, self._sample_rate = encoder, sample_rate
        self._sum: Tensor | None = None

    @torch.inference_mode()
    def add(self, outputs: Tensor, weight: int) -> None:
        """Add a window's outputs, float32 (R, C, n), which contributes ``weight`` samples."""
        weighted = weight * self._encoder.embed_audio(outputs.mean(dim=1), self._sample_rate)
        self._sum = weighted if self._sum is None else self._sum + weighted

    def similarities(self, queries: Tensor) -> list[float]:
        """Cosine of each output with its query's embedding, queries float32 (R, D)."""
        assert self._sum is not None
        return [float(value) for value in (F.normalize(self._sum, dim=-1) * queries.to(self._sum.device)).sum(dim=-1)]
