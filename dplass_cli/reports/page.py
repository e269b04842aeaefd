"""The HTML page of all reports: self-contained, with sortable and filterable tables, pictures and audio players.

Functions build the parts, escape what they are given and return Markup; :func:`write_page` puts the parts together.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
from markupsafe import Markup

from dplass_cli.audio.reading import Audio
from dplass_cli.audio.resampling import resample
from dplass_cli.evaluation.table import Figure, Table
from dplass_cli.resources import page_template
from dplass_cli.storage import write_text
from dplass_cli.versions import __version__

_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_MP3_FALLBACK_RATE = 44100
_FILTER = Markup(
    '<div class="filter"><input type="search" placeholder="show rows with …" aria-label="show rows with these words">'
    "<output></output></div>"
)


_STACKED = 5  # columns from which a table becomes one block per row on a phone

Cell = str | Markup | int | Figure
"""Figures sort by their values; those without one are shown as a dash and sort last."""


@dataclass(frozen=True)
class Section:
    """A part of a page with a heading and an entry in the page's navigation.

    Attributes:
        title: the heading.
        parts: its content.
    """

    title: str
    parts: Sequence[Markup]

    @property
    def anchor(self) -> str:
        """The id of the heading."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-") or "section"


@dataclass(frozen=True)
class ModelFile:
    """A model that a report depends on.

    Attributes:
        role: such as ``base``, ``encoder`` or ``domain3``.
        name: of the model, or what it is.
        sha256: of its tensors.
    """

    role: str
    name: str
    sha256: str


@dataclass(frozen=True)
class Provenance:
    """Where the content of a page comes from, in addition to the date, which is that of writing the page.

    Attributes:
        command: the command that makes the same page.
        models: the models that were used.
    """

    command: str
    models: Sequence[ModelFile] = ()


def write_page(
    path: Path | str,
    title: str,
    lead: Iterable[str],
    sections: Iterable[Section],
    verdict: str = "",
    provenance: Provenance | None = None,
) -> None:
    """Write a page atomically; sections without parts are left out.

    Args:
        path: the file.
        title: of the page.
        lead: lines of text below the title.
        sections: the content.
        verdict: what the page shows, in one sentence, above everything else.
        provenance: what the page was made of.

    Raises:
        InputError: the folder cannot be written.
    """
    shown = [section for section in sections if section.parts]
    facts = [] if provenance is None else _facts(provenance)
    content = {"title": title, "verdict": verdict, "lead": list(lead), "facts": facts, "sections": shown}
    write_text(path, page_template("report.html").render(content, version=__version__))


def _facts(provenance: Provenance) -> list[tuple[str, Markup]]:
    """(term, description) of the list at the head of a page."""
    date = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    words = Markup(" ").join(Markup("<span>{}</span>").format(word) for word in provenance.command.split(" "))
    facts = [("Date", Markup("{}").format(date)), ("Command", Markup("<code>{}</code>").format(words))]
    if provenance.models:
        rows = [[each.role, each.name, Markup("<code>{}</code>").format(each.sha256)] for each in provenance.models]
        first = ", ".join(f"{each.role} {each.name} ({each.sha256[:12]})" for each in provenance.models[:2])
        more = f" and {len(rows) - 2} adapters" if len(rows) > 2 else ""
        facts.append(("Models", folded(first + more, [table(["part", "model", "SHA-256"], rows)])))
    return facts


def text(words: str, kind: str = "") -> Markup:
    """A paragraph; ``kind`` is ``soft``, ``warning`` or empty."""
    return Markup('<p class="{}">{}</p>').format(kind, words)


def heading(words: str) -> Markup:
    """A heading inside a section."""
    return Markup("<h3>{}</h3>").format(words)


def row(parts: Iterable[Markup]) -> Markup:
    """Parts side by side, wrapped to the width of the page."""
    return Markup('<div class="row">{}</div>').format(Markup("").join(parts))


def folded(title: str, parts: Iterable[Markup]) -> Markup:
    """Parts that are shown by a click on the title."""
    return Markup("<details><summary>{}</summary>{}</details>").format(title, Markup("").join(parts))


def picture(
    png: bytes, alt: str, caption: str = "", kind: Literal["chart", "detailed", "spectrogram"] = "chart"
) -> Markup:
    """A PNG picture, with a description for screen readers and a caption below.

    Charts are drawn on white and inverted in dark mode. A ``detailed`` one keeps its size on a phone, where others
    shrink to the width of the screen. A ``spectrogram`` is as wide as the space for it.
    """
    source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    below = Markup("<figcaption>{}</figcaption>").format(caption) if caption else ""
    shown = Markup('<div class="wide"><img src="{}" alt="{}" class="{}"></div>').format(source, alt, kind)
    return Markup("<figure>{}{}</figure>").format(shown, below)


def player(audio: Audio, sample_rate: int, label: str) -> Markup:
    """A labelled audio player of float32 (C, T) or (T,), C at most 2.

    The audio is embedded as MP3, which all browsers play. Audio above full scale is scaled down as a whole.
    """
    source = f"data:audio/mpeg;base64,{base64.b64encode(_mp3(np.atleast_2d(audio), sample_rate)).decode()}"
    return Markup(
        '<div class="player"><span>{0}</span>'
        '<audio controls preload="metadata" src="{1}" aria-label="{0}"></audio></div>'
    ).format(label, source)


def _mp3(audio: Audio, sample_rate: int) -> bytes:
    if sample_rate not in _MP3_RATES:
        audio, sample_rate = resample(audio, sample_rate, _MP3_FALLBACK_RATE), _MP3_FALLBACK_RATE
    peak = float(np.abs(audio).max(initial=0.0))
    stream = io.BytesIO()
    soundfile.write(stream, (audio / max(peak, 1.0)).T, sample_rate, format="MP3", subtype="MPEG_LAYER_III")
    return stream.getvalue()


def table(
    columns: Sequence[str], rows: Iterable[Sequence[Cell]], filtered: bool = False, marked: Iterable[int] = ()
) -> Markup:
    """A table that sorts by a click on a column's head; columns whose first cell is a number are aligned to the right.

    Args:
        columns: their names.
        rows: the cells; texts are escaped.
        filtered: add a field above that hides the rows without the words typed there.
        marked: positions of rows to highlight.
    """
    rows = [list(cells) for cells in rows]
    right = [bool(rows) and isinstance(rows[0][column], (int, Figure)) for column in range(len(columns))]
    heads = [
        Markup('<th scope="col"{}><button type="button">{}</button></th>').format(_class(number), name)
        for name, number in zip(columns, right, strict=True)
    ]
    chosen = set(marked)
    lines = [
        Markup("<tr{}>{}</tr>").format(
            Markup(' class="marked"') if position in chosen else "",
            Markup("").join(map(_cell, cells, columns)),
        )
        for position, cells in enumerate(rows)
    ]
    return Markup(
        '<div class="table">{}<div class="wide"><table class="sortable{}"><thead><tr>{}</tr></thead>'
        "<tbody>{}</tbody></table></div></div>"
    ).format(
        _FILTER if filtered else "",
        " stacked" if len(columns) >= _STACKED else "",
        Markup("").join(heads),
        Markup("\n").join(lines),
    )


def result_table(results: Table) -> Markup:
    """A table of results, with its note; the columns sort by the numbers, not by their intervals."""
    below = text(results.note, "soft") if results.note else Markup("")
    return table(results.columns, results.rows, marked=results.marked) + below


def _class(number: bool) -> Markup:
    return Markup(' class="number"') if number else Markup("")


def _cell(cell: Cell, column: str) -> Markup:
    if isinstance(cell, int):
        cell = Figure(cell, "d")
    if not isinstance(cell, Figure):
        return Markup('<td data-label="{}">{}</td>').format(column, cell)
    if cell.value is None or not np.isfinite(cell.value):
        return Markup('<td class="number" data-label="{}">–</td>').format(column)
    return Markup('<td class="number" data-label="{}" data-value="{}">{}</td>').format(
        column, float(cell.value), str(cell)
    )
