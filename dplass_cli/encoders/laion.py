"""LAION's CLAP as a query encoder: HTSAT hears, RoBERTa reads, both project to 512 values.

Wu et al., "Large-Scale Contrastive Language-Audio Pretraining with Feature Fusion and Keyword-to-Caption Augmentation",
2023. Sound is not rounded to 16 bits first, as LAION's own wrapper does with arrays; AudioSep does not either, and the
embeddings differ by some 5e-6.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from dplass_cli.audio.resampling import resample_tensor
from dplass_cli.encoders.laion_audio import N_FFT, SAMPLE_RATE, LogMel, window_batches
from dplass_cli.encoders.laion_model import AUDIO_WIDTHS, build_clap, settle_buffers
from dplass_cli.encoders.laion_text import Tokenizer, pad
from dplass_cli.errors import InputError
from dplass_cli.options.parse import to_mapping
from dplass_cli.weights.checkpoint_files import load_strictly
from dplass_cli.weights.hashing import tensors_sha256

_EMBEDDED = "query_encoder.model."
_PATCHES = "audio_branch.patch_embed.proj.weight"
_KERNEL = "audio_branch.spectrogram_extractor.stft.conv_real.weight"
_FUSION = "audio_branch.patch_embed.mel_conv2d."
_OTHER_FUSION = re.compile(r"^audio_branch\.(mel_conv1d|fusion_model|patch_embed\.fusion_model\.local_att2)\.")

# What checkpoints hold and we compute ourselves: transform kernels, and RoBERTa's counters of positions.
_COMPUTED = re.compile(
    r"^audio_branch\.(spectrogram|logmel)_extractor\.|^text_branch\.embeddings\.(position_ids|token_type_ids)$"
)
# What no embedding depends on: heads of the training, and the fusion of sounds over 10 s, which come in windows here.
_UNUSED = re.compile(
    r"^((audio|text)_transform\.|logit_scale_[at]$|audio_branch\.(tscam_conv|head|patch_embed\.(mel_conv2d|fusion_model))\.)"
    r"|num_batches_tracked$"
)


@dataclass(frozen=True)
class LaionConfig:
    """What differs between LAION's models: HTSAT's size (``tiny``, ``base``), and whether it has feature fusion."""

    audio: str = "base"
    fusion: bool = False


class LaionEncoder:
    """LAION's CLAP; implements :class:`~dplass_cli.encoders.base.QueryEncoder`.

    Attributes:
        name: ``laion``.
        size: 512.
        config: which of LAION's models it is.
    """

    name = "laion"
    size = 512
    sample_rate = SAMPLE_RATE
    windows = "10 s, averaged by length, last under 1 s left out, shorter repeated and padded to 10 s"

    def __init__(self, config: LaionConfig, clap: Any, tokenizer: Tokenizer, device: str | torch.device) -> None:
        self.config = config
        self._device = torch.device(device)
        self._clap = clap.eval().requires_grad_(False).to(self._device)
        self._log_mel = LogMel(config.fusion).to(self._device)
        self._tokenizer = tokenizer
        self._texts: dict[str, Tensor] = {}
        # On a CPU one item at a time is as fast, and an embedding is the same to the last bit in any batch.
        self._batch = 1 if self._device.type == "cpu" else 32

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over configuration and the weights that embeddings depend on, in whatever file they lay."""
        state = {key: tensor for key, tensor in self._clap.state_dict().items() if not _UNUSED.search(key)}
        return tensors_sha256(state, to_mapping(self.config))

    @torch.inference_mode()
    def embed_text(self, sentences: Sequence[str]) -> Tensor:
        """See :class:`~dplass_cli.encoders.base.QueryEncoder`. Distinct sentences are embedded once.

        Of a sentence the first 77 tokens count; the first that is longer is logged.
        """
        new = {text: self._tokenizer.tokens(text) for text in dict.fromkeys(sentences) if text not in self._texts}
        texts = sorted(new, key=lambda text: len(new[text]))  # so that little is padding
        for first in range(0, len(texts), self._batch):
            batch = texts[first : first + self._batch]
            embeddings = self._embed_tokens(pad([new[text] for text in batch]))
            self._texts.update(zip(batch, embeddings.unbind(), strict=True))
        return torch.stack([self._texts[sentence] for sentence in sentences])

    @torch.inference_mode()
    def embed_audio(self, waveforms: Tensor | Sequence[Tensor], sample_rate: int) -> Tensor:
        """See :class:`~dplass_cli.encoders.base.QueryEncoder`.

        Audio is embedded in windows of 10 s, one after the other, averaged by their lengths; a last window under 1 s is
        left out where there is another, and shorter audio is repeated and padded to 10 s as LAION does.

        Raises:
            InputError: the waveforms have no samples.
        """
        if any(waveform.shape[-1] == 0 for waveform in waveforms):
            raise InputError("audio without samples has no embedding; leave it out")
        heard = [resample_tensor(waveform.to(self._device), sample_rate, SAMPLE_RATE) for waveform in waveforms]
        sums = torch.zeros(len(heard), self.size, device=self._device)
        for windows, owners in window_batches(heard, self._batch):
            for (row, length), embedding in zip(owners, self._embed_windows(windows), strict=True):
                sums[row] += length / SAMPLE_RATE * embedding
        return F.normalize(sums, dim=-1).cpu()

    def _embed_tokens(self, tokens: dict[str, Tensor]) -> Tensor:
        """Embed ``input_ids`` and ``attention_mask`` (B, L): float32 (B, 512) on the CPU, unit norm."""
        embeddings: Tensor = self._clap.get_text_embedding(tokens)
        return embeddings.cpu()

    def _embed_windows(self, windows: Tensor) -> Tensor:
        """Embed waveforms (B, 480000) at 48 kHz: float32 (B, 512), unit norm.

        A model with feature fusion hears sounds of up to 10 s by its first channel alone, which is the plain one.
        """
        branch = self._clap.audio_branch
        normalised = branch.bn0(self._log_mel(windows).transpose(1, 3)).transpose(1, 3)
        heard = branch.forward_features(branch.reshape_wav2img(normalised), longer_idx=[])
        return F.normalize(self._clap.audio_projection(heard["embedding"]), dim=-1)


def clap_state(content: Mapping[str, Any], where: str) -> dict[str, Tensor] | None:
    """Find CLAP's tensors in what a file holds: {LAION's key: tensor}, or None where there are none.

    They lie in the file itself, under ``state_dict``, under ``module.`` (LAION), or under ``query_encoder.model.``
    (AudioSep).

    Raises:
        InputError: one of them is not a tensor; begins with ``where``.
    """
    state = content.get("state_dict", content)
    if not isinstance(state, Mapping):
        return None
    named = {key: value for key, value in state.items() if isinstance(key, str)}
    found = {key.removeprefix(_EMBEDDED): value for key, value in named.items() if key.startswith(_EMBEDDED)}
    found = found or {key.removeprefix("module."): value for key, value in named.items()}
    if not any(key.startswith(("audio_branch.", "text_branch.")) for key in found):
        return None
    for key, value in found.items():
        if not isinstance(value, Tensor):
            raise InputError(f"{where}: {key!r} is not a tensor; expected LAION's or AudioSep's checkpoint")
    return found


def load_laion(
    state: Mapping[str, Tensor], where: str, tokenizer: Path | str | None, device: str | torch.device = "cpu"
) -> LaionEncoder:
    """Make an encoder of the tensors that :func:`clap_state` found.

    Args:
        state: LAION's keys and tensors; they are copied.
        where: begins error messages.
        tokenizer: folder of RoBERTa's tokenizer files.
        device: where it computes.

    Raises:
        InputError: the tensors are not one of LAION's models (lists the first keys that differ), or are not finite;
            the tokenizer is missing; or ``laion-clap`` is.
    """
    config = _described(state, where)
    reader = Tokenizer(tokenizer)
    clap = build_clap(config.audio, config.fusion)
    weights = {
        key: tensor.to(torch.float32 if tensor.is_floating_point() else tensor.dtype, copy=True)
        for key, tensor in state.items()
        if not _COMPUTED.match(key)
    }
    load_strictly(clap, weights, where, assign=True)
    settle_buffers(clap)
    return LaionEncoder(config, clap, reader, device)


def _described(state: Mapping[str, Tensor], where: str) -> LaionConfig:
    """Read the kind of model off the keys and shapes of its audio tower."""
    patches = state.get(_PATCHES)
    if patches is None or patches.dim() != 4:
        raise InputError(f"{where}: its audio tower is not HTSAT (no {_PATCHES}); give LAION's CLAP with HTSAT")
    if patches.shape[0] not in AUDIO_WIDTHS:
        known = ", ".join(f"HTSAT-{name} ({width})" for width, name in AUDIO_WIDTHS.items())
        raise InputError(f"{where}: its audio tower is {patches.shape[0]} wide; those that can be read: {known}")
    kernel = state.get(_KERNEL)
    if kernel is not None and kernel.shape[-1] != N_FFT:
        raise InputError(f"{where}: its spectrogram has windows of {kernel.shape[-1]} samples; {N_FFT} can be read")
    if patches.shape[1] != 1 or any(_OTHER_FUSION.match(key) for key in state):
        raise InputError(
            f"{where}: its feature fusion is of another kind than LAION published (aff_2d); give one of those"
        )
    return LaionConfig(AUDIO_WIDTHS[patches.shape[0]], any(key.startswith(_FUSION) for key in state))
