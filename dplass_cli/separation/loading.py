"""Loading a base, its encoder and its adapters, with the defaults and checks that all verbs share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from dplass_cli.adapters import METHODS
from dplass_cli.adapters.bank_folder import bank_place, find_adapters, stored_bytes
from dplass_cli.devices import process_device
from dplass_cli.encoders import QueryEncoder, load_encoder_of, space_of
from dplass_cli.errors import InputError
from dplass_cli.extras import require_extra
from dplass_cli.models import BaseModel, check_encoder, load_base
from dplass_cli.models.backends import WARMUP_MACS, choose_backend
from dplass_cli.models.quantization import run_in_int8
from dplass_cli.options.model_options import ModelSpec
from dplass_cli.resources import BUNDLED_MODELS, bundled_encoder, default_folder, shipped, shown_hash
from dplass_cli.separation.bank import AdapterBank
from dplass_cli.separation.policies.base import DomainTexts
from dplass_cli.separation.quantization_examples import BUILT_IN, quantization_examples
from dplass_cli.weights.named_models import resolve_model

SMALL_BYTES = 64 << 20
"""Adapters of one path that take no more than this are always held in memory: reading the bundled ones again and again
took a sixth of an evaluation."""


@dataclass(frozen=True)
class Models:
    """A base, its encoder and its adapters, which belong together.

    Attributes:
        network: the base.
        encoder: embeds the queries that the base was trained with.
        bank: the adapters over the base.
    """

    network: BaseModel
    encoder: QueryEncoder
    bank: AdapterBank

    @cached_property
    def hashes(self) -> dict[str, Any]:
        """What identifies the models in the results that they have reached."""
        return {
            "base_sha256": self.bank.base_sha256,
            "encoder_fingerprint": self.encoder.fingerprint,
            "adapters_sha256": {key: self.bank.fingerprint(key) for key in self.bank.keys},
        }

    @cached_property
    def texts(self) -> DomainTexts:
        """The domains of the adapters in the encoder's space, which policies compare queries with."""
        return DomainTexts(self.bank, self.encoder)


def load_models(
    model: ModelSpec | None = None,
    keep: bool = True,
    warmup_macs: float = WARMUP_MACS,
    any_encoder: bool = False,
) -> Models:
    """Load a base, its encoder and its adapters (default: the bundled ones), and check that they belong together.

    Args:
        model: what to load.
        keep: hold all adapters in memory; otherwise large ones (:data:`SMALL_BYTES`) are read from their files
            whenever they are activated.
        warmup_macs: multiply-accumulates after which ``--backend auto`` compiles the network for OpenVINO.
        any_encoder: the encoder may be another than the base's, since the base is going to be trained with it.
    """
    model = resolve_model(model or ModelSpec())
    network = load_base(model.base, process_device(model.device), trust=model.trust)
    if model.encoder is not None:
        model = replace(model, encoder=bundled_encoder(str(model.encoder), network.encoder_fingerprint))
    encoder = load_encoder_of(model)
    if not any_encoder:
        check_encoder(network, space_of(encoder), encoder.size, str(model.encoder or model.base))
    paths = default_adapters(model.base) if model.adapters is None else model.adapters
    if int8 := model.precision == "int8":
        examples = partial(quantization_examples, BUILT_IN, encoder, network.config)
        run_in_int8(network, model.backend, examples, default_folder() / "int8", shipped("assets/tiny/int8"))
    else:
        choose_backend(network, model.backend, warmup_macs, constant_weights=not paths)
    bank = AdapterBank(network)
    if int8 and paths:
        require_extra("int8", "--precision int8")  # each adapter is quantised when it is used
    for path in paths:
        for key in bank.load(path, model.trust, keep or _is_small(path)):
            if bank.infos[key].encoder_fingerprint not in ("", space_of(encoder)):
                raise InputError(
                    f"{path}: adapter {key!r} was trained with another encoder"
                    f" ({shown_hash(bank.infos[key].encoder_fingerprint)}); name that one with --encoder"
                )
            if (int8 or model.backend == "openvino") and not METHODS[bank.infos[key].method].linear:
                option, instead = ("--precision int8", "32-true") if int8 else ("--backend openvino", "--backend torch")
                raise InputError(f"{option}: cannot run adapter {key!r} ({bank.infos[key].method}); use {instead}")
    return Models(network, encoder, bank)


def _is_small(path: str | Path) -> bool:
    return sum(map(stored_bytes, find_adapters(bank_place(path)).values())) <= SMALL_BYTES


def default_adapters(base: str | Path) -> tuple[str, ...]:
    """The adapters to load where none are named: its own for a bundled base, otherwise none."""
    return (str(base),) if base in BUNDLED_MODELS else ()
