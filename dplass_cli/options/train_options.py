"""Options of ``train``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dplass_cli.errors import InputError
from dplass_cli.options.adapter_settings import AdapterSettings
from dplass_cli.options.data_settings import DataSettings
from dplass_cli.options.declaration import option, required, section, setting
from dplass_cli.options.distil_settings import DistilSettings
from dplass_cli.options.encoder_settings import ContrastiveSettings, TinyEncoderConfig
from dplass_cli.options.model_options import DEVICE, ModelOptions, adapters_option
from dplass_cli.options.network_settings import LaSAFTConfig, ResUNet30Config
from dplass_cli.options.train_settings import TrainSettings


@dataclass(frozen=True, kw_only=True)
class TrainOptions(ModelOptions):
    """Options of ``train``."""

    partition: Path = required("The partition folder; for --what encoder, a manifest.", "--data")
    workspace: Path = required("Folder of checkpoints, logs and the bank.", resume="free")
    what: Literal["adapters", "base", "distil", "encoder"] = option(
        "adapters",
        "adapters: one per domain; base: the whole network; distil: one network that learns what the base does"
        " with each domain's adapter; encoder: the query encoder, on clips and their captions.",
    )
    domain: str = option("all", "all, or numbers such as 0,3.", resume="longer")
    network: ResUNet30Config | LaSAFTConfig | None = setting(
        None,
        "For --what base and distil: train a new network of this configuration instead of the base.",
        shown="the base",
    )
    towers: TinyEncoderConfig | None = setting(
        None,
        "For --what encoder: train new towers of this configuration instead of those of --encoder.",
        shown="those of the encoder",
    )
    distil: DistilSettings = section(DistilSettings, "What a student is, and what it learns from.")
    contrastive: ContrastiveSettings = section(ContrastiveSettings, "How an encoder is trained.")
    adapter: AdapterSettings = section(AdapterSettings, "The adapters.", flags=True)
    data: DataSettings = section(DataSettings, "How training samples are drawn and mixed.", flags=True)
    train: TrainSettings = section(TrainSettings, "How the weights are trained.", flags=True)
    adapters: tuple[str, ...] | None = adapters_option(
        "The teachers of --what distil; with --what adapters, which trains new ones by default, adapters to train"
        " further: bank, adapter folder or published file. Repeatable."
    )
    cache: Path | None = setting(
        None,
        "Folder of embeddings to use and to keep: of audio, where queries are audio, and of more than 256 captions.",
        shown="in the workspace",
        resume="free",
    )
    num_gpus: int = option(
        0,
        "Devices that train together (with --device cpu, processes); see --strategy.",
        shown="one, or all with one domain on each",
        panel=DEVICE,
        resume="free",
        least=0,
    )
    num_nodes: int = option(1, "Machines that train together.", panel=DEVICE, resume="free", least=1)
    strategy: Literal["auto", "ddp"] = option(
        "auto",
        "How several devices share the work: auto (one domain per GPU if there are several domains), or ddp (all"
        " devices on each domain).",
        panel=DEVICE,
        resume="free",
    )
    parallel: int = setting(
        0,
        "Domains that are trained at the same time, each in its own process.",
        shown="0: one per GPU if there are several",
        panel=DEVICE,
        resume="free",
        least=0,
    )
    resume: bool = option(False, "Resume the run in this workspace; finished domains are kept.", resume="free")
    dry_run: bool = option(False, "Print what would be trained, and train nothing.", resume="free")
    fast_dev_run: bool = option(
        False, "Run three batches per domain through everything, in a sub-folder of the workspace.", resume="free"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.adapters and self.what not in ("adapters", "distil"):
            raise InputError(f"--adapters: with --what {self.what} there is nothing to learn from them; leave them out")
        if self.network is not None and self.distil.width != 1.0:
            raise InputError("distil.width, network: both describe the student; leave one of them out")
