"""The table of sources: one row per clip of folds 1 to 3, with its package, path, class, licence and attribution.

Clips of the same path are consecutive parts of one recording, in the order of their names.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

TABLE = Path(__file__).parent / "sources.csv"
FOLDS = ("1", "2", "3")
TAKES = " + "  # separates the takes of one clip
PYPI = " (PyPI)"

# Licences under which a clip may be trained on, by the name that the table uses for them.
LICENCES = frozenset({
    "CC0-1.0", "public-domain",
    "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-2.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0",
    "MIT", "MIT-like (CMU)", "MIT-like (Edinburgh/CMU)", "BSD-2-Clause", "BSD-3-Clause",
    "Artistic-1.0", "MPL-2.0", "Free-Art",
})  # fmt: skip
# Other spellings that Debian packages use for the same licences.
SPELLINGS = {
    "CC0": "CC0-1.0",
    "CC-BY-3": "CC-BY-3.0",
    "CC-BY-SA-3": "CC-BY-SA-3.0",
    "CC-BY-SA-3.0+": "CC-BY-SA-3.0",
    "CC-SA-BY-3.0": "CC-BY-SA-3.0",
    "Expat": "MIT",
    "BSD-2": "BSD-2-Clause",
    "BSD-3-clause": "BSD-3-Clause",
    "free-art": "Free-Art",
}


@dataclass(frozen=True)
class Source:
    """Origin of one clip.

    Attributes:
        filename: name of the clip.
        fold: fold of the clip, "1" to "3".
        category: class of the clip in snake_case.
        audioset_label: AudioSet's display name of the class, or the nearest one.
        mid: AudioSet's id of that label.
        captions: captions of the class, separated by ``|``.
        registry: "debian" or "pypi".
        package: name of the package.
        version: version of the package; empty if it isn't known.
        path: path in the package, several takes separated by `` + ``; for rendered and synthetic clips a description.
        recording: clips of the same recording, speaker or track share this.
        licence: one of :data:`LICENCES`.
        attribution: authors as the package states them, and the changes made.
    """

    filename: str
    fold: str
    category: str
    audioset_label: str
    mid: str
    captions: str
    registry: str
    package: str
    version: str
    path: str
    recording: str
    licence: str
    attribution: str

    @property
    def takes(self) -> list[str]:
        """Paths of the recordings that the clip is made from."""
        return self.path.split(TAKES)

    @property
    def is_phrase(self) -> bool:
        """Whether the clip is a phrase rendered from a soundfont."""
        return self.package.endswith(("soundfont", "soundfont-gm"))

    @property
    def is_synthetic_speech(self) -> bool:
        """Whether the clip is a sentence spoken by a speech synthesiser."""
        return self.path.startswith("synthetic speech")

    @property
    def is_music(self) -> bool:
        """Whether the clip is an excerpt of a piece of music."""
        return self.category == "music"


def normalise_licence(name: str) -> str:
    """The table's name of a licence.

    Raises:
        ValueError: it is not one that clips may be trained on.
    """
    normal = SPELLINGS.get(name, name)
    if normal not in LICENCES:
        raise ValueError(f"licence {name!r} is not permissive; expected one of {', '.join(sorted(LICENCES))}")
    return normal


def table_from(corpus: Path, found: Mapping[str, str]) -> list[Source]:
    """The sources of folds 1 to 3 of a corpus.

    Args:
        corpus: folder with ``clips.csv``.
        found: versions by package, for packages whose version the corpus doesn't state.

    Raises:
        ValueError: a clip has a licence that clips may not be trained on.
    """
    with open(corpus / "clips.csv", encoding="utf-8", newline="") as stream:
        sources = [_source(row) for row in csv.DictReader(stream) if row["fold"] in FOLDS]
    stated = {source.package: source.version for source in sources if source.version}
    versions = {**found, **stated}
    return [replace(source, version=versions.get(source.package, "")) for source in sources]


def _source(row: dict[str, str]) -> Source:
    """A row of ``clips.csv`` as a source. An attribution begins with "PACKAGE VERSION: "."""
    package = row["source"].removesuffix(PYPI)
    stated = row["attribution"].removeprefix(row["source"]).lstrip()
    version, separator, _ = stated.partition(": ")
    if not separator or not version[:1].isdigit():
        version = ""  # not recorded, or the name of a soundfont
    shared = {field.name: row[field.name] for field in fields(Source) if field.name in row}
    return Source(**{
        **shared,
        "registry": "pypi" if row["source"].endswith(PYPI) else "debian",
        "package": package,
        "version": version,
        "path": row["source_path"],
        "licence": normalise_licence(row["licence"]),
    })  # fmt: skip


def read_sources(table: Path = TABLE) -> list[Source]:
    """The rows of the table of sources.

    Raises:
        ValueError: a row has a licence that clips may not be trained on.
    """
    with open(table, encoding="utf-8", newline="") as stream:
        sources = [Source(**row) for row in csv.DictReader(stream)]
    for source in sources:
        normalise_licence(source.licence)
    return sources


def write_sources(sources: Iterable[Source], table: Path = TABLE) -> None:
    """Write the table of sources."""
    names = [field.name for field in fields(Source)]
    with open(table, "w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([getattr(source, name) for name in names] for source in sources)
