"""Options of ``train``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dplass_cli.errors import InputError
from dplass_cli.options.adapter_settings import AdapterSettings
from dplass_cli.options.data_settings import DataSettings
from dplass_cli.options.declaration import check_field, option, section
from dplass_cli.options.model_options import DEVICE, ModelOptions, adapters_option
from dplass_cli.options.network_settings import ResUNet30Config
from dplass_cli.options.train_settings import TrainSettings


@dataclass(frozen=True, kw_only=True)
class TrainOptions(ModelOptions):
    """Options of ``train``."""

    partition: Path = option("--data", help="The partition folder.")
    workspace: Path = option("--workspace", resume="free", help="Folder of checkpoints, logs and the bank.")
    what: Literal["adapters", "base", "distil"] = option(
        "--what",
        default="adapters",
        help="adapters: one per domain; base: the whole network; distil: one network that learns what the base does"
        " with each domain's adapter.",
    )
    domain: str = option("--domain", default="all", resume="longer", help="all, or numbers such as 0,3.")
    network: ResUNet30Config | None = option(
        default=None,
        shown="the base",
        help="For --what base and distil: train a new network of this configuration instead of the base.",
    )
    adapter: AdapterSettings = section(AdapterSettings, flags=True, help="The adapters.")
    data: DataSettings = section(DataSettings, flags=True, help="How training samples are drawn and mixed.")
    train: TrainSettings = section(TrainSettings, flags=True, help="How the weights are trained.")
    adapters: tuple[str, ...] | None = adapters_option(
        "The teachers of --what distil: bank, adapter folder or published file. Repeatable."
    )
    cache: Path | None = option(
        default=None,
        shown="in the workspace",
        resume="free",
        help="Folder of audio embeddings to use and to keep, where queries are audio.",
    )
    num_gpus: int = option(
        "--num-gpus",
        default=0,
        shown="one, or all with one domain on each",
        panel=DEVICE,
        resume="free",
        help="Devices that train together (with --device cpu, processes); see --strategy.",
    )
    num_nodes: int = option("--num-nodes", default=1, panel=DEVICE, resume="free", help="Machines that train together.")
    strategy: Literal["auto", "ddp"] = option(
        "--strategy",
        default="auto",
        panel=DEVICE,
        resume="free",
        help="How several devices share the work: auto (one domain per GPU if there are several domains), or ddp (all"
        " devices on each domain).",
    )
    parallel: int = option(
        default=0,
        shown="0: one per GPU if there are several",
        panel=DEVICE,
        resume="free",
        help="Domains that are trained at the same time, each in its own process.",
    )
    resume: bool = option(
        "--resume", default=False, resume="free", help="Resume the run in this workspace; finished domains are kept."
    )
    dry_run: bool = option(
        "--dry-run", default=False, resume="free", help="Print what would be trained, and train nothing."
    )
    fast_dev_run: bool = option(
        "--fast-dev-run",
        default=False,
        resume="free",
        help="Run three batches per domain through everything, in a sub-folder of the workspace.",
    )

    def __post_init__(self) -> None:
        for name, least in (("num_gpus", 0), ("num_nodes", 1), ("parallel", 0)):
            check_field(self, name, getattr(self, name) >= least, f"at least {least}")
        if self.adapters and self.what != "distil":
            raise InputError(f"--adapters: with --what {self.what} there is nothing to learn from them; leave them out")
