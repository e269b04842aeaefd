"""The models of the verbs: which base, encoder and adapters to load, and where they run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

Backend = Literal["auto", "torch", "openvino"]

Precision = Literal["auto", "32-true", "bf16-mixed"]
"""Precision of the convolutions, by Lightning's names. Transforms, masks and input norms are always float32."""

Stereo = Literal["shared", "each"]
Refinement = Literal["none", "residual"]


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """The models to load and where to run them: one value from the command line to the loader.

    Attributes:
        base: ``tiny`` or a checkpoint.
        encoder: ``tiny`` or a file; None: ``tiny`` with the tiny base, else the encoder embedded in the base.
        adapters: banks, adapter folders and published files; None: the bundled ones with the tiny base, else none.
        tokenizer: folder of RoBERTa's tokenizer files, for LAION's encoder.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        precision: of the convolutions; ``auto``: ``bf16-mixed`` on CUDA devices whose hardware supports it.
        backend: of the convolutions; ``auto``: the faster one on the device.
        trust: read pickled checkpoints that hold more than weights; such files can run code.
    """

    base: str | Path = "tiny"
    encoder: str | Path | None = None
    adapters: tuple[str | Path, ...] | None = None
    tokenizer: Path | str | None = None
    device: str = "auto"
    precision: Precision = "auto"
    backend: Backend = "auto"
    trust: bool = False


@dataclass(frozen=True, kw_only=True)
class EncoderOptions:
    """A query encoder and where it runs.

    Attributes:
        encoder: ``tiny`` or a file.
        tokenizer: folder of RoBERTa's tokenizer files, for LAION's encoder.
        trust_checkpoint: read pickled files that hold more than weights; such files can run code.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    """

    encoder: str = "tiny"
    tokenizer: Path | None = None
    trust_checkpoint: bool = False
    device: str = "auto"

    @property
    def model(self) -> ModelSpec:
        """The encoder as the loader takes it."""
        return ModelSpec(
            encoder=self.encoder, tokenizer=self.tokenizer, device=self.device, trust=self.trust_checkpoint
        )


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """A base, its encoder and its adapters, and where they run.

    Attributes:
        base_checkpoint: ``tiny`` or a checkpoint.
        encoder: ``tiny`` or a file; default: the base's own.
        adapters: banks, adapter folders and published files; default: the bundled ones with the tiny base, else none.
        tokenizer: folder of RoBERTa's tokenizer files, for LAION's encoder.
        trust_checkpoint: read pickled files that hold more than weights; such files can run code.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    """

    base_checkpoint: str = "tiny"
    encoder: str | None = None
    adapters: tuple[str, ...] | None = None
    tokenizer: Path | None = None
    trust_checkpoint: bool = False
    device: str = "auto"

    @property
    def model(self) -> ModelSpec:
        """The models as the loader takes them."""
        return ModelSpec(
            base=self.base_checkpoint,
            encoder=self.encoder,
            adapters=self.adapters,
            tokenizer=self.tokenizer,
            device=self.device,
            trust=self.trust_checkpoint,
        )


@dataclass(frozen=True, kw_only=True)
class RunningOptions(ModelOptions):
    """Models whose convolutions may run in another backend or precision.

    Attributes:
        backend: ``torch``, ``openvino``, or ``auto``: the faster one on the device.
        precision: of the convolutions; ``auto``: ``bf16-mixed`` on CUDA devices whose hardware supports it.
    """

    backend: Backend = "auto"
    precision: Precision = "auto"

    @property
    def model(self) -> ModelSpec:
        """The models as the loader takes them."""
        return replace(super().model, backend=self.backend, precision=self.precision)


@dataclass(frozen=True, kw_only=True)
class SeparatorOptions(RunningOptions):
    """A separator.

    Attributes:
        select: selection policy; default: as measured for the model.
        refine: separate the residual with its own embedding and split the mixture again; default: as measured for the
            model.
        stereo: ``shared``: one mask for all channels; ``each``: a mask for each channel.
    """

    select: str | None = None
    refine: Refinement | None = None
    stereo: Stereo = "shared"
