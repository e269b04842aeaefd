"""The models of the verbs: which base, encoder and adapters to load, and where they run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from dplass_cli.options.declaration import Options, Resume, option, setting

Backend = Literal["auto", "torch", "openvino"]

Precision = Literal["auto", "32-true", "bf16-mixed", "int8"]
"""Precision of the convolutions: by Lightning's names, or ``int8`` in OpenVINO.

Transforms, masks and input norms are always float32."""

Stereo = Literal["shared", "each"]
Refinement = Literal["none", "residual"]

MODELS, DEVICE = "Models", "Device"  # panels of the help page


def trust_option(resume: Resume = "fixed") -> bool:
    """Declare ``--trust-checkpoint``."""
    return option(
        False, "Read pickled checkpoints that can run code. Only if you trust them.", panel=MODELS, resume=resume
    )


def model_option(help: str) -> str | None:
    """Declare ``--model``; ``help`` says what it names."""
    return option(None, help, "--model", shown="tiny", panel=MODELS, named=True)


def adapters_option(help: str) -> tuple[str, ...] | None:
    """Declare ``--adapters``; ``help`` says what the verb does with them."""
    return option(
        None, help, shown="the bundled ones, if any", hidden=("--dora_checkpoints",), panel=MODELS, named=True
    )


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """The models to load and where to run them: one value from the command line to the loader.

    Attributes:
        name: a named model, a folder or ``hf:owner/name``, which stands for what follows; None: what follows.
        base: ``tiny`` or a checkpoint.
        encoder: ``tiny`` or a file; None: ``tiny`` with the tiny base, else the encoder embedded in the base.
        adapters: banks, adapter folders and published files; None: the bundled ones with the tiny base, else none.
        tokenizer: folder of RoBERTa's tokenizer files, for LAION's encoder.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        precision: of the convolutions; ``auto``: ``bf16-mixed`` where the device supports it in hardware.
        backend: of the convolutions; ``auto``: the faster one on the device.
        trust: read pickled checkpoints that hold more than weights; such files can run code.
    """

    name: str | None = None
    base: str | Path = "tiny"
    encoder: str | Path | None = None
    adapters: tuple[str | Path, ...] | None = None
    tokenizer: Path | str | None = None
    device: str = "auto"
    precision: Precision = "auto"
    backend: Backend = "auto"
    trust: bool = False


@dataclass(frozen=True, kw_only=True)
class BaseOptions(Options):
    """A base model."""

    base_checkpoint: str = option(
        "tiny", "Base model: tiny or a checkpoint.", hidden=("--checkpoint_path",), panel=MODELS, named=True
    )
    trust_checkpoint: bool = trust_option("free")


@dataclass(frozen=True, kw_only=True)
class EncoderOptions(Options):
    """A query encoder and where it runs."""

    model_name: str | None = model_option(
        "The model whose encoder to use: a name (dplass models), folder or hf:owner/name."
    )
    encoder: str | None = option(
        None, "Query encoder: tiny, minilm (extra), source-names or a file.", shown="tiny", panel=MODELS, named=True
    )
    tokenizer: Path | None = option(None, "Folder of the tokenizer, for a CLAP encoder.", panel=MODELS)
    trust_checkpoint: bool = trust_option()
    device: str = option("auto", "auto, cpu, cuda, cuda:N or mps.", panel=DEVICE)

    @property
    def model(self) -> ModelSpec:
        """The encoder as the loader takes it."""
        return ModelSpec(
            name=self.model_name,
            encoder=self.encoder,
            tokenizer=self.tokenizer,
            device=self.device,
            trust=self.trust_checkpoint,
        )


@dataclass(frozen=True, kw_only=True)
class ModelOptions(BaseOptions):
    """A base, its encoder and its adapters, and where they run."""

    model_name: str | None = model_option(
        "A name (dplass models), hf:owner/name, or a folder of base.safetensors, encoder.safetensors and bank."
    )
    encoder: str | None = option(
        None,
        "Query encoder: tiny, minilm (extra), source-names or a file.",
        shown="the base's own",
        panel=MODELS,
        named=True,
    )
    tokenizer: Path | None = option(None, "Folder of the tokenizer, for a CLAP encoder.", panel=MODELS)
    adapters: tuple[str, ...] | None = adapters_option(
        "Bank, adapter folder, published file or hf:owner/name. Repeatable."
    )
    device: str = option("auto", "auto, cpu, cuda, cuda:N or mps.", panel=DEVICE, resume="free")

    @property
    def model(self) -> ModelSpec:
        """The models as the loader takes them."""
        return ModelSpec(
            name=self.model_name,
            base=self.base_checkpoint,
            encoder=self.encoder,
            adapters=self.adapters,
            tokenizer=self.tokenizer,
            device=self.device,
            trust=self.trust_checkpoint,
        )


@dataclass(frozen=True, kw_only=True)
class RunningOptions(ModelOptions):
    """Models whose convolutions may run in another backend or precision."""

    backend: Backend = option(
        "auto",
        "Backend of the convolutions: torch or openvino (extra, CPU).",
        shown="auto, the faster on this device",
        panel=DEVICE,
    )
    precision: Precision = option(
        "auto",
        "Precision of the convolutions: 32-true, bf16-mixed or int8 (extra, CPU).",
        shown="auto, bf16-mixed where the hardware has it",
        panel=DEVICE,
    )

    @property
    def model(self) -> ModelSpec:
        """The models as the loader takes them."""
        return replace(super().model, backend=self.backend, precision=self.precision)


@dataclass(frozen=True, kw_only=True)
class SeparatorOptions(RunningOptions):
    """A separator."""

    select: str | None = option(
        None,
        "Selection policy: base, text, text-knn, validated, audio, blend or single:3.",
        shown="as measured for the model",
        panel=MODELS,
        named=True,
    )
    refine: Refinement | None = option(
        None,
        "Separate the residual with its own embedding and split the mixture again: none or residual.",
        shown="as measured for the model; none with --select",
        panel=MODELS,
    )
    stereo: Stereo = option("shared", "shared: one mask for all channels; each: one mask per channel.", panel=MODELS)
    window: float | None = setting(
        None,
        "Seconds that are separated at once, without a second of context on either side: shorter windows take less"
        " memory, longer ones less time.",
        least=1,
        most=600,
        shown="8 to 24, by length and memory",
    )
