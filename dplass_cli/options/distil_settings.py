"""Settings of distillation: one student network instead of a base and its adapters."""

from __future__ import annotations

from dataclasses import dataclass

from dplass_cli.options.declaration import Options, setting

BY_DOMAIN = "domain"
"""The value of ``distil.select`` that takes the adapter of the domain which a sample's target comes from."""


@dataclass(frozen=True)
class DistilSettings(Options):
    """What a student is, and what it learns from."""

    width: float = setting(
        1.0,
        "Channels of the student as a factor of the base's, from which it starts; 0.5 has about a quarter of the work.",
        above=0,
    )
    target_share: float = setting(
        0.0,
        "Share of the loss that compares the student with the true target; the rest compares it with the teacher.",
        least=0,
        most=1,
    )
    select: str = setting(
        BY_DOMAIN,
        "The teacher's adapter for a sample: domain (that of the target's clip, or the base where it has none), or a"
        " policy that chooses by the query, such as text, validated or blend.",
    )
