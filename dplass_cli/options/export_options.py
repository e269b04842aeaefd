"""Options of ``export``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dplass_cli.options.declaration import option, required
from dplass_cli.options.model_options import MODELS, BaseOptions, ModelSpec

Format = Literal["onnx", "openvino"]


@dataclass(frozen=True)
class ExportOptions(BaseOptions):
    """Options of ``export``."""

    output: Path = required("The file to write: .onnx, or .xml with its weights in a .bin next to it.", also="-o")
    format: Format | None = option(None, "onnx or openvino.", shown="as the output's suffix says")
    precision: Literal["32-true", "int8"] = option(
        "32-true", "Precision of the convolutions: 32-true, or int8 (extra, .xml only).", panel=MODELS
    )
    calibrate: str = option(
        "built-in", "Mixtures that int8 is fitted to: built-in sounds, or clips of a manifest.", panel=MODELS
    )
    adapters: tuple[str, ...] = option(
        (),
        "Bank, adapter folder or published file. Repeatable.",
        shown="none",
        hidden=("--dora_checkpoints",),
        panel=MODELS,
        named=True,
    )
    encoder: str | None = option(
        None, "Query encoder, which int8 needs: tiny or a file.", shown="the base's own", panel=MODELS, named=True
    )
    tokenizer: Path | None = option(None, "Folder of the tokenizer, for a CLAP encoder.", panel=MODELS)
    select: str | None = option(
        None,
        "Which adapter to merge: single:k, or base for none.",
        shown="the one adapter, if there is one",
        panel=MODELS,
        named=True,
    )

    @property
    def model(self) -> ModelSpec:
        """The base and its encoder as the loader takes them."""
        return ModelSpec(
            base=self.base_checkpoint,
            encoder=self.encoder,
            tokenizer=self.tokenizer,
            device="cpu",
            trust=self.trust_checkpoint,
        )
