"""Options of ``adapters``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dplass_cli.options.adapter_settings import AdapterSettings, StoredType
from dplass_cli.options.declaration import Options, argument, option, required, section
from dplass_cli.options.model_options import MODELS, BaseOptions, trust_option

_ADAPTER = "An adapter folder, or a published file."


@dataclass(frozen=True)
class AdaptersListOptions(Options):
    """Options of ``adapters list``."""

    paths: tuple[Path, ...] = argument("PATH", "Banks (tiny: the bundled one), adapter folders and published files.")
    trust_checkpoint: bool = trust_option()


@dataclass(frozen=True)
class AdaptersInfoOptions(BaseOptions):
    """Options of ``adapters info``."""

    adapter: Path | None = argument("ADAPTER", "An adapter folder, or a published file.", None, shown="the base alone")


@dataclass(frozen=True)
class AdaptersImportOptions(Options):
    """Options of ``adapters import``."""

    files: tuple[Path, ...] = argument("FILE", "Published files, such as cluster3_model.pt.")
    output: Path = required("Folder of the adapters; with --partition it becomes a bank.", also="-o")
    base_checkpoint: str | None = option(
        None,
        "The base whose frozen weights the files must contain.",
        shown="the contained one, written to base.safetensors",
        hidden=("--checkpoint_path",),
        panel=MODELS,
        named=True,
    )
    partition: Path | None = option(None, "Partition folder whose domains the files' clusters are.")
    adapter: AdapterSettings = section(
        AdapterSettings, "What the files do not say: rank of reconv, alpha; and the type to store them in."
    )
    trust_checkpoint: bool = trust_option()


@dataclass(frozen=True)
class AdaptersExportOptions(BaseOptions):
    """Options of ``adapters export``."""

    adapter: Path = argument("ADAPTER", _ADAPTER)
    output: Path = required("The file to write.", also="-o")


@dataclass(frozen=True)
class AdaptersMergeOptions(BaseOptions):
    """Options of ``adapters merge``."""

    adapter: Path = argument("ADAPTER", _ADAPTER)
    output: Path = required("The file to write: .safetensors or .ckpt.", also="-o")


@dataclass(frozen=True)
class AdaptersCompressOptions(BaseOptions):
    """Options of ``adapters compress``."""

    adapter: Path = argument("ADAPTER", _ADAPTER)
    rank: int = required("Rank to keep in every layer.")
    output: Path = required("The adapter folder to write.", also="-o")
    dtype: StoredType | None = option(None, "Type of the tensors: float32, float16 or bfloat16.", shown="as stored")


@dataclass(frozen=True)
class AdaptersDiffOptions(BaseOptions):
    """Options of ``adapters diff``."""

    first: Path = argument("ADAPTER", _ADAPTER)
    second: Path | None = argument("SECOND", "The adapter to compare it with.", None, shown="the base")


@dataclass(frozen=True)
class AdaptersPushOptions(Options):
    """Options of ``adapters push``."""

    bank: Path = argument("BANK", "A bank (tiny: the bundled one), or an adapter folder.")
    address: str = argument("ADDRESS", "Repository of the Hugging Face Hub: hf:owner/name.")
    evaluation: Path | None = option(None, "Evaluation folder whose figures the model card shows.")
    licence: str | None = option(None, "Licence of the weights, as the Hub names it: mit, cc-by-4.0.", named=True)
    private: bool = option(False, "Make a repository that does not exist yet a private one.")
