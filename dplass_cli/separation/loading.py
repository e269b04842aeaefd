"""Loading what a separation needs, with the defaults and refusals that all verbs share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dplass_cli.adapters import METHODS
from dplass_cli.adapters.bank_folder import TINY_BANK
from dplass_cli.devices import process_device
from dplass_cli.encoders import QueryEncoder, load_encoder_of
from dplass_cli.errors import InputError
from dplass_cli.models import BaseModel, check_encoder, load_base
from dplass_cli.models.openvino import WARMUP_MACS, choose_backend
from dplass_cli.options.model_options import ModelSpec
from dplass_cli.resources import shipped
from dplass_cli.separation.bank import AdapterBank
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


def load_models(model: ModelSpec | None = None, keep: bool = True, warmup_macs: float = WARMUP_MACS) -> Models:
    """Load a base, its encoder and its adapters, and check that they belong together.

    Args:
        model: what to load and where to run it; default: the bundled models.
        keep: as :meth:`~dplass_cli.separation.bank.AdapterBank.load`.
        warmup_macs: as :func:`~dplass_cli.models.openvino.choose_backend`.

    Raises:
        InputError: something is missing, damaged, or made for another base or encoder; a backend that cannot be used.
    """
    model = model or ModelSpec()
    network = load_base(model.base, process_device(model.device), trust=model.trust)
    choose_backend(network, model.backend, warmup_macs)
    encoder = load_encoder_of(model)
    check_encoder(network, encoder.fingerprint, encoder.size, str(model.encoder or model.base))
    bank = AdapterBank(network)
    for path in default_adapters(model.base) if model.adapters is None else model.adapters:
        for key in bank.load(path, model.trust, keep):
            if bank.infos[key].encoder_fingerprint not in ("", encoder.fingerprint):
                raise InputError(f"{path}: adapter {key!r} was trained with another encoder; give that with --encoder")
            if model.backend == "openvino" and not METHODS[bank.infos[key].method].linear:
                raise InputError(
                    f"--backend openvino: adapter {key!r} ({bank.infos[key].method}) cannot run in it; use torch"
                )
    return Models(network, encoder, bank)


def default_adapters(base: str | Path) -> tuple[str, ...]:
    """The adapters that are meant where none are named: the bundled ones with the bundled base, else none."""
    return ("tiny",) if base == "tiny" and shipped(TINY_BANK) else ()
