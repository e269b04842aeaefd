"""Loading what a separation needs, with the defaults and refusals that all verbs share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from dplass_cli.adapters import METHODS
from dplass_cli.encoders import QueryEncoder, load_encoder
from dplass_cli.errors import InputError
from dplass_cli.models import BaseModel, check_encoder, load_base
from dplass_cli.models.openvino import WARMUP_MACS, Backend, choose_backend
from dplass_cli.resources import shipped
from dplass_cli.separation.bank import TINY_BANK, AdapterBank
from dplass_cli.separation.policies.domain_texts import DomainTexts


@dataclass(frozen=True)
class Models:
    """A base, the encoder of its queries, and its adapters."""

    network: BaseModel
    encoder: QueryEncoder
    bank: AdapterBank

    @cached_property
    def texts(self) -> DomainTexts:
        """The domains of the adapters, as policies look at them."""
        return DomainTexts(self.bank, self.encoder)


def load_models(
    base: str | Path = "tiny",
    encoder: str | Path | None = None,
    adapters: Sequence[str | Path] | None = None,
    tokenizer: Path | str | None = None,
    device: str | torch.device = "cpu",
    trust: bool = False,
    keep: bool = True,
    backend: Backend = "auto",
    warmup_macs: float = WARMUP_MACS,
) -> Models:
    """Load a base, its encoder and its adapters, and refuse what does not belong together.

    Args:
        base: ``tiny`` or a checkpoint.
        encoder: ``tiny`` or a file; default: ``tiny`` with the tiny base, else the base's embedded one.
        adapters: banks and adapter folders; default: the bundled ones with the tiny base, else none.
        tokenizer: as :func:`~dplass_cli.encoders.load_encoder`.
        device: where they compute.
        trust: read pickled files that hold more than weights; such files can run code.
        keep: as :meth:`~dplass_cli.separation.bank.AdapterBank.load`.
        backend, warmup_macs: as :func:`~dplass_cli.models.openvino.choose_backend`.

    Raises:
        InputError: something is missing, damaged, or made for another base or encoder; a backend that cannot be.
    """
    network = load_base(base, device, trust=trust)
    choose_backend(network, backend, warmup_macs)
    chosen = load_encoder(encoder or base, tokenizer, device, trust)
    check_encoder(network, chosen.fingerprint, chosen.size, str(encoder or base))
    bank = AdapterBank(network)
    for path in default_adapters(base) if adapters is None else adapters:
        for key in bank.load(path, trust, keep):
            if bank.infos[key].encoder_fingerprint not in ("", chosen.fingerprint):
                raise InputError(f"{path}: adapter {key!r} was trained with another encoder; give that with --encoder")
            if backend == "openvino" and not METHODS[bank.infos[key].method].linear:
                raise InputError(
                    f"--backend openvino: adapter {key!r} ({bank.infos[key].method}) cannot run in it; use torch"
                )
    return Models(network, chosen, bank)


def default_adapters(base: str | Path) -> tuple[str, ...]:
    """The adapters that are meant where none are named: the bundled ones with the bundled base, else none."""
    return ("tiny",) if base == "tiny" and shipped(TINY_BANK) else ()
