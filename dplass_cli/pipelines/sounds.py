"""``sounds``: what an encoder knows."""

from __future__ import annotations

from dataclasses import dataclass

from dplass_cli.options.sounds_options import SoundsOptions
from dplass_cli.separation.loading import load_models


@dataclass(frozen=True)
class SoundsResult:
    """Result of :func:`sounds`.

    Attributes:
        encoder: the kind of encoder.
        groups: {name of a domain: the sounds that it serves}; empty if the encoder has no list of sounds.
    """

    encoder: str
    groups: dict[str, list[str]]


def sounds(options: SoundsOptions) -> SoundsResult:
    """List the sounds that the encoder of a model knows; InputError if the models do not belong together."""
    models = load_models(options.model)
    return SoundsResult(models.encoder.name, models.texts.sounds())
