"""Typed scores: of one run on one item (a row of ``items.csv``), and of a condition over all items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from dplass_cli.errors import InputError

METRICS = ("sdri", "si_sdr", "si_sdri", "sdr", "bss_sdr", "similarity")
"""The metrics of :class:`ItemScore` that are aggregated over items, in the order of :class:`PolicyScore`."""


@dataclass(frozen=True)
class ItemScore:
    """Scores of one run on one item: a row of ``items.csv``. The order of the fields is the order of the columns.

    A metric is None where it was not computed. Against a silent reference, only ``similarity`` and ``level_db`` are.

    Attributes:
        idx: the item's name.
        query: the item's query.
        run: what ran: the base, an adapter, or a condition with a run of its own; column ``adapter``.
        sha256: identifies the audio that was separated (:func:`~dplass_cli.evaluation.items.audio_sha256`).
        sdr_mixture: SDR of the mixture, dB.
        sdr: SDR of the output, dB.
        sdri: ``sdr`` minus ``sdr_mixture``, dB.
        si_sdr: SI-SDR of the output, dB.
        si_sdri: ``si_sdr`` minus the SI-SDR of the mixture, dB.
        bss_sdr: SDR of BSS Eval version 3, dB.
        similarity: cosine of the output's embedding with the query's.
        level_db: level of the output relative to the mixture's, dB.
        seconds: time of the forward pass per item of its batch.
        error: why the item could not be read; empty where it could.
    """

    idx: str
    query: str = ""
    run: str = ""
    sha256: str = ""
    sdr_mixture: float | None = None
    sdr: float | None = None
    sdri: float | None = None
    si_sdr: float | None = None
    si_sdri: float | None = None
    bss_sdr: float | None = None
    similarity: float | None = None
    level_db: float | None = None
    seconds: float | None = None
    error: str = ""

    @classmethod
    def failed(cls, idx: str, reason: str, query: str = "") -> ItemScore:
        """The score of an item that cannot be read."""
        return cls(idx, query, error=reason)

    def to_row(self) -> dict[str, str]:
        """Format as a row of ``items.csv``: {column: text}."""
        return {column: _text(name, getattr(self, name)) for name, column in _columns_of(type(self)).items()}

    @classmethod
    def from_row(cls, row: Mapping[str, str], path: Path) -> ItemScore:
        """Parse a row of ``items.csv``; ``path`` is for error messages.

        Raises:
            InputError: a metric is not a number.
        """
        return cls(**{name: _value(name, row, path) for name in _columns_of(cls)})  # type: ignore[arg-type]

    @classmethod
    def columns(cls) -> tuple[str, ...]:
        """The columns of ``items.csv``."""
        return tuple(_columns_of(cls).values())


@dataclass(frozen=True)
class SongScore(ItemScore):
    """Scores of one source of a song, whose item is named ``SONG/SOURCE``, over all channels.

    Attributes:
        sdr_v4: SDR of BSSEval version 4, median over frames of one second, dB.
        isr_v4: its ratio to spatial distortion.
        sir_v4: its ratio to interference.
        sar_v4: its ratio to artefacts.
    """

    sdr_v4: float | None = None
    isr_v4: float | None = None
    sir_v4: float | None = None
    sar_v4: float | None = None


def _column(name: str) -> str:
    return "adapter" if name == "run" else name


def _columns_of(kind: type[ItemScore]) -> dict[str, str]:
    """{field: column}"""
    return {field.name: _column(field.name) for field in fields(kind)}


_TEXTS = {field.name for field in fields(ItemScore) if field.default is not None}
_DECIMALS = {"seconds": 4}

COLUMNS = ItemScore.columns()
"""The columns of ``items.csv``; those of songs are followed by more."""


def _text(name: str, value: str | float | None) -> str:
    if name in _TEXTS:
        return str(value)
    return "" if value is None else f"{value:.{_DECIMALS.get(name, 6)}f}"


def _value(name: str, row: Mapping[str, str], path: Path) -> str | float | None:
    text = row[_column(name)]
    if name in _TEXTS:
        return text
    try:
        return float(text) if text else None
    except ValueError as error:
        raise InputError(
            f"{path}: item {row['idx']}: {_column(name)} is {text!r}, not a number; delete the row and run again"
        ) from error


@dataclass(frozen=True)
class PolicyScore:
    """Scores of a condition, aggregated by the benchmark's rule. A metric is NaN where it was not computed.

    Attributes:
        sdri: SDR improvement over the mixture, dB.
        si_sdr: SI-SDR, dB.
        si_sdri: SI-SDR improvement over the mixture, dB.
        sdr: SDR, dB.
        bss_sdr: SDR of BSS Eval version 3, dB.
        similarity: cosine of the output with the query.
        sdri_ci: 95% bootstrap interval of ``sdri``.
        si_sdr_ci: 95% bootstrap interval of ``si_sdr``.
        n: items with an audible reference.
        bound: the policy looks at the reference, so it is an upper bound and not a method.
        difference: SDRi minus that of the base on the same items, dB; None where the base did not run.
        difference_ci: 95% interval of ``difference`` by a paired bootstrap.
        regret: SDRi of the oracle minus this one's, dB; None where not every adapter ran.
        accuracy: share of the items for which the oracle's adapter was chosen; None where no adapter was.
        choices: {run: number of items that it was chosen for}.
        silent_level_db: mean level of the output relative to the mixture where the reference is silent, dB; None
            without such items.
    """

    sdri: float
    si_sdr: float
    si_sdri: float
    sdr: float
    bss_sdr: float
    similarity: float
    sdri_ci: tuple[float, float]
    si_sdr_ci: tuple[float, float]
    n: int
    bound: bool
    difference: float | None
    difference_ci: tuple[float, float] | None
    regret: float | None
    accuracy: float | None
    choices: dict[str, int]
    silent_level_db: float | None


@dataclass(frozen=True)
class Breakdown:
    """One class or domain.

    Attributes:
        n: items.
        sdri: {condition: mean SDRi over the items, dB}.
    """

    n: int
    sdri: dict[str, float]


@dataclass(frozen=True)
class Scores:
    """Scores of an evaluation.

    Attributes:
        policies: {condition: its score}.
        adapters: {adapter: its SDRi and SI-SDR where it serves every item, dB}.
        domains: {domain: breakdown}.
        classes: {class: breakdown}.
        confusion: {condition: {chosen run: {the oracle's adapter: items}}}.
        chosen: {condition: {item: run}}.
        silent: items with a silent reference; they count in ``silent_level_db`` only.
    """

    policies: dict[str, PolicyScore]
    adapters: dict[str, dict[str, float]]
    domains: dict[str, Breakdown]
    classes: dict[str, Breakdown]
    confusion: dict[str, dict[str, dict[str, int]]]
    chosen: dict[str, dict[str, str]]
    silent: list[str]
