"""LAION's CLAP as a query encoder: HTSAT for audio, RoBERTa for text, both projected to 512 values.

Wu et al., "Large-Scale Contrastive Language-Audio Pretraining with Feature Fusion and Keyword-to-Caption Augmentation",
2023. Like AudioSep, and unlike LAION's wrapper, it does not round audio to 16 bits; embeddings differ by about 5e-6.
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
from dplass_cli.encoders.laion_model import AUDIO_WIDTHS, build_clap, fill_buffers
from dplass_cli.encoders.laion_text import Tokenizer, pad
from dplass_cli.errors import InputError
from dplass_cli.options.parse import to_mapping
from dplass_cli.weights.checkpoint_files import load_strictly, tensors_sha256

_EMBEDDED = "query_encoder.model."
_PATCHES = "audio_branch.patch_embed.proj.weight"
_KERNEL = "audio_branch.spectrogram_extractor.stft.conv_real.weight"
_FUSION = "audio_branch.patch_embed.mel_conv2d."
_OTHER_FUSION = re.compile(r"^audio_branch\.(mel_conv1d|fusion_model|patch_embed\.fusion_model\.local_att2)\.")

# In checkpoints but computed here: STFT and mel kernels, and RoBERTa's position ids.
_COMPUTED = re.compile(
    r"^audio_branch\.(spectrogram|logmel)_extractor\.|^text_branch\.embeddings\.(position_ids|token_type_ids)$"
)
# No embedding depends on these: training heads, and the fusion of sounds over 10 s, which are split into windows here.
_UNUSED = re.compile(
    r"^((audio|text)_transform\.|logit_scale_[at]$|audio_branch\.(tscam_conv|head|patch_embed\.(mel_conv2d|fusion_model))\.)"
    r"|num_batches_tracked$"
)


@dataclass(frozen=True)
class LaionConfig:
    """Which of LAION's models it is.

    Attributes:
        audio: size of HTSAT, ``tiny`` or ``base``.
        fusion: whether it has feature fusion.
    """

    audio: str = "base"
    fusion: bool = False


class LaionEncoder:
    """LAION's CLAP; implements :class:`~dplass_cli.encoders.base.QueryEncoder`."""

    name = "laion"
    embeds_audio = True
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

    def __repr__(self) -> str:
        fusion = ", fusion" * self.config.fusion
        return f"LaionEncoder(HTSAT-{self.config.audio}{fusion}, size={self.size}, {self.sample_rate} Hz)"

    @property
    def kinds(self) -> tuple[str, ...]:
        return ()

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over the configuration and the weights that embeddings depend on, whatever file they come from."""
        state = {key: tensor for key, tensor in self._clap.state_dict().items() if not _UNUSED.search(key)}
        return tensors_sha256(state, to_mapping(self.config))

    @torch.inference_mode()
    def embed_text(self, sentences: Sequence[str]) -> Tensor:
        """See :class:`~dplass_cli.encoders.base.QueryEncoder`. Distinct sentences are embedded once.

        Sentences are truncated to 77 tokens, which is logged the first time.
        """
        new = {text: self._tokenizer.tokens(text) for text in dict.fromkeys(sentences) if text not in self._texts}
        texts = sorted(new, key=lambda text: len(new[text]))  # similar lengths together, to pad little
        for first in range(0, len(texts), self._batch):
            batch = texts[first : first + self._batch]
            embeddings = self._embed_tokens(pad([new[text] for text in batch]))
            self._texts.update(zip(batch, embeddings.unbind(), strict=True))
        return torch.stack([self._texts[sentence] for sentence in sentences])

    @torch.inference_mode()
    def embed_audio(self, waveforms: Tensor | Sequence[Tensor], sample_rate: int) -> Tensor:
        """See :class:`~dplass_cli.encoders.base.QueryEncoder`.

        Audio is split into windows of 10 s, whose embeddings are averaged, weighted by length. A last window under 1 s
        is left out unless it is the only one; shorter audio is repeated and padded to 10 s, as LAION does.

        Raises:
            InputError: a waveform has no samples.
        """
        if any(waveform.shape[-1] == 0 for waveform in waveforms):
            raise InputError("audio without samples cannot be embedded; leave it out")
        resampled = [resample_tensor(waveform.to(self._device), sample_rate, SAMPLE_RATE) for waveform in waveforms]
        sums = torch.zeros(len(resampled), self.size, device=self._device)
        for windows, owners in window_batches(resampled, self._batch):
            for (row, length), embedding in zip(owners, self._embed_windows(windows), strict=True):
                sums[row] += length / SAMPLE_RATE * embedding
        return F.normalize(sums, dim=-1).cpu()

    def out_of_vocabulary(self, sentence: str) -> None:
        """Always None: CLAP was trained on millions of captions, and has no list of what it knows."""

    def _embed_tokens(self, tokens: dict[str, Tensor]) -> Tensor:
        """Embed ``input_ids`` and ``attention_mask`` (B, L): float32 (B, 512) on the CPU, unit norm."""
        embeddings: Tensor = self._clap.get_text_embedding(tokens)
        return embeddings.cpu()

    def _embed_windows(self, windows: Tensor) -> Tensor:
        """Embed waveforms, float32 (B, 480000) at 48 kHz: float32 (B, 512), unit norm.

        A model with feature fusion uses only its first channel for sounds of up to 10 s, as here.
        """
        branch = self._clap.audio_branch
        normalised = branch.bn0(self._log_mel(windows).transpose(1, 3)).transpose(1, 3)
        features = branch.forward_features(branch.reshape_wav2img(normalised), longer_idx=[])
        return F.normalize(self._clap.audio_projection(features["embedding"]), dim=-1)


def clap_state(content: Mapping[str, Any], where: str) -> dict[str, Tensor] | None:
    """Find CLAP's tensors in the content of a file: {LAION's key: tensor}, or None if there are none.

    They may be at the top level or under ``state_dict``, with the prefix ``module.`` (LAION), ``query_encoder.model.``
    (AudioSep) or none. InputError if one is not a tensor.
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
    """Create an encoder from a copy of the tensors that :func:`clap_state` found.

    InputError if they are not finite tensors of one of LAION's models, or the tokenizer or ``laion-clap`` is missing.
    """
    config = _config_of(state, where)
    reader = Tokenizer(tokenizer)
    clap = build_clap(config.audio, config.fusion)
    weights = {
        key: tensor.to(torch.float32 if tensor.is_floating_point() else tensor.dtype, copy=True)
        for key, tensor in state.items()
        if not _COMPUTED.match(key)
    }
    load_strictly(clap, weights, where, assign=True)
    fill_buffers(clap)
    return LaionEncoder(config, clap, reader, device)


def _config_of(state: Mapping[str, Tensor], where: str) -> LaionConfig:
    """Infer the configuration from the keys and shapes of the audio tower."""
    patches = state.get(_PATCHES)
    if patches is None or patches.dim() != 4:
        raise InputError(
            f"{where}: the audio tower is not HTSAT (no {_PATCHES}); give one of LAION's CLAP models with HTSAT"
        )
    if patches.shape[0] not in AUDIO_WIDTHS:
        known = ", ".join(f"HTSAT-{name} ({width})" for width, name in AUDIO_WIDTHS.items())
        raise InputError(f"{where}: the audio tower has width {patches.shape[0]}; supported: {known}")
    kernel = state.get(_KERNEL)
    if kernel is not None and kernel.shape[-1] != N_FFT:
        raise InputError(f"{where}: the spectrogram has windows of {kernel.shape[-1]} samples; supported: {N_FFT}")
    if patches.shape[1] != 1 or any(_OTHER_FUSION.match(key) for key in state):
        raise InputError(
            f"{where}: its kind of feature fusion is not supported; give a model with aff_2d, as LAION published, or"
            " one without fusion"
        )
    return LaionConfig(AUDIO_WIDTHS[patches.shape[0]], any(key.startswith(_FUSION) for key in state))
