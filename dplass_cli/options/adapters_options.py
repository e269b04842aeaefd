"""Options of ``adapters``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dplass_cli.options.adapter_settings import AdapterSettings, StoredType
from dplass_cli.options.declaration import argument, option, section
from dplass_cli.options.model_options import MODELS, BaseOptions, trust_option

_ADAPTER = "An adapter folder, or a published file."


@dataclass(frozen=True)
class AdaptersListOptions:
    """Options of ``adapters list``."""

    paths: tuple[Path, ...] = argument(
        "PATH", help="Banks (tiny: the bundled one), adapter folders and published files."
    )
    trust_checkpoint: bool = trust_option()


@dataclass(frozen=True)
class AdaptersInfoOptions(BaseOptions):
    """Options of ``adapters info``."""

    adapter: Path | None = argument(
        "ADAPTER", default=None, shown="the base alone", help="An adapter folder, or a published file."
    )


@dataclass(frozen=True)
class AdaptersImportOptions:
    """Options of ``adapters import``."""

    files: tuple[Path, ...] = argument("FILE", help="Published files, such as cluster3_model.pt.")
    output: Path = option("--output", "-o", help="Folder of the adapters; with --partition it becomes a bank.")
    base_checkpoint: str | None = option(
        "--base-checkpoint",
        default=None,
        shown="the contained one, written to base.safetensors",
        hidden=("--checkpoint_path",),
        panel=MODELS,
        help="The base whose frozen weights the files must contain.",
    )
    partition: Path | None = option(
        "--partition", default=None, help="Partition folder whose domains the files' clusters are."
    )
    adapter: AdapterSettings = section(
        AdapterSettings, help="What the files do not say: rank of reconv, alpha; and the type to store them in."
    )
    trust_checkpoint: bool = trust_option()


@dataclass(frozen=True)
class AdaptersExportOptions(BaseOptions):
    """Options of ``adapters export``."""

    adapter: Path = argument("ADAPTER", help=_ADAPTER)
    output: Path = option("--output", "-o", help="The file to write.")


@dataclass(frozen=True)
class AdaptersMergeOptions(BaseOptions):
    """Options of ``adapters merge``."""

    adapter: Path = argument("ADAPTER", help=_ADAPTER)
    output: Path = option("--output", "-o", help="The file to write: .safetensors or .ckpt.")


@dataclass(frozen=True)
class AdaptersCompressOptions(BaseOptions):
    """Options of ``adapters compress``."""

    adapter: Path = argument("ADAPTER", help=_ADAPTER)
    rank: int = option("--rank", help="Rank to keep in every layer.")
    output: Path = option("--output", "-o", help="The adapter folder to write.")
    dtype: StoredType | None = option(
        "--dtype", default=None, shown="as stored", help="Type of the tensors: float32, float16 or bfloat16."
    )


@dataclass(frozen=True)
class AdaptersDiffOptions(BaseOptions):
    """Options of ``adapters diff``."""

    first: Path = argument("ADAPTER", help=_ADAPTER)
    second: Path | None = argument("SECOND", default=None, shown="the base", help="The adapter to compare it with.")
