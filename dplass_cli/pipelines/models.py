"""The models of the verbs: the options that name them, and what loads them, the same for every verb that takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from dplass_cli.devices import Precision, process_device
from dplass_cli.encoders import QueryEncoder, load_encoder
from dplass_cli.models.openvino import WARMUP_MACS, Backend
from dplass_cli.separation.loading import Models, load_models
from dplass_cli.separation.separator import Separator, Stereo


@dataclass(frozen=True, kw_only=True)
class EncoderOptions:
    """A query encoder and where it runs.

    Attributes:
        encoder, tokenizer, trust_checkpoint: as :func:`dplass_cli.encoders.load_encoder`.
        device: as :func:`dplass_cli.devices.process_device`.
    """

    encoder: str = "tiny"
    tokenizer: Path | None = None
    trust_checkpoint: bool = False
    device: str = "auto"

    def load_encoder(self) -> QueryEncoder:
        """Load the encoder on its device.

        Raises:
            InputError: an unusable encoder or device.
        """
        return load_encoder(self.encoder, self.tokenizer, process_device(self.device), self.trust_checkpoint)


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """A base, its encoder and its adapters, and where they run.

    Attributes:
        base_checkpoint, encoder, adapters, tokenizer: as :func:`dplass_cli.separation.loading.load_models`.
        trust_checkpoint: read pickled files that hold more than weights; such files can run code.
        device: as :func:`dplass_cli.devices.choose_device`.
    """

    base_checkpoint: str = "tiny"
    encoder: str | None = None
    adapters: tuple[str, ...] | None = None
    tokenizer: Path | None = None
    trust_checkpoint: bool = False
    device: str = "auto"

    def load_models(
        self,
        adapters: Sequence[str] | None,
        device: str | torch.device = "cpu",
        keep: bool = True,
        backend: Backend = "auto",
        warmup_macs: float = WARMUP_MACS,
    ) -> Models:
        """Load base and encoder with the adapters that are given here; the rest as ``load_models`` takes it.

        Raises:
            InputError: something is missing, damaged, or does not belong together.
        """
        return load_models(
            self.base_checkpoint,
            self.encoder,
            adapters,
            self.tokenizer,
            device,
            self.trust_checkpoint,
            keep,
            backend,
            warmup_macs,
        )


@dataclass(frozen=True, kw_only=True)
class RunningOptions(ModelOptions):
    """Models that run as fast as they can.

    Attributes:
        backend: as :func:`dplass_cli.models.openvino.choose_backend`.
        precision: of the convolutions, as :func:`dplass_cli.devices.in_bfloat16`.
    """

    backend: Backend = "auto"
    precision: Precision = "auto"


@dataclass(frozen=True, kw_only=True)
class SeparatorOptions(RunningOptions):
    """A separator.

    Attributes:
        select: selection policy; default as :meth:`~dplass_cli.separation.separator.Separator.from_pretrained`.
        stereo: as :class:`~dplass_cli.separation.separator.Separator`.
    """

    select: str | None = None
    stereo: Stereo = "shared"

    def load_separator(self) -> Separator:
        """Load the models and put them together.

        Raises:
            InputError: something is missing, damaged, or does not belong together.
        """
        return Separator.from_pretrained(
            self.base_checkpoint,
            self.encoder,
            self.adapters,
            self.select,
            self.device,
            self.tokenizer,
            self.trust_checkpoint,
            self.stereo,
            self.backend,
            self.precision,
        )
