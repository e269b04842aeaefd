"""The HTML report of a partition: its quality, and the captions and sounds of each domain."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup

from dplass_cli.audio.reading import read_audio
from dplass_cli.data.manifest import Row
from dplass_cli.domains.features import CaptionFeatures, FloatArray, IntArray, similarities
from dplass_cli.domains.partition_folder import Domain, Partition
from dplass_cli.domains.quality import Quality
from dplass_cli.errors import InputError
from dplass_cli.options.partition_options import Features, Projection
from dplass_cli.reports.page import (
    Cell,
    Number,
    Section,
    folded,
    heading,
    picture,
    player,
    row,
    table,
    text,
    write_page,
)
from dplass_cli.reports.partition_plots import map_picture, quality_picture, similarity_picture, sizes_picture
from dplass_cli.reports.projection import project
from dplass_cli.storage import write_bytes

_log = logging.getLogger(__name__)

_MAPPED = 3_000  # captions on the map
_LISTED = 2_000  # captions in the table
_EXAMPLES = 3  # clips of a domain that can be played
_TRIED = 12  # clips of a domain that are read to find these
_SECONDS = 10.0
_CAPTIONS_SHOWN = 400


@dataclass(frozen=True, eq=False)
class PartitionReport:
    """Contents of a report.

    Attributes:
        partition: domains and centroids.
        features: features of C captions.
        ids: int64 (C,), the domain of each caption.
        kind: the features that were partitioned.
        rows: {domain id: rows of the manifest}.
        training_rows: {domain id: rows of its training manifest}.
        validation_mixtures: {domain id: its validation mixtures}.
        quality: quality of this partition.
        numbers: quality of 2 … 15 domains, where they were judged.
        unmatched: captions that an imported partition does not contain.
        warnings: warnings for the reader.
        projection: projection of the map.
    """

    partition: Partition
    features: CaptionFeatures
    ids: IntArray
    kind: Features
    rows: Mapping[int, Sequence[Row]]
    training_rows: Mapping[int, int]
    validation_mixtures: Mapping[int, int]
    quality: Quality
    numbers: Sequence[Quality]
    unmatched: Sequence[str]
    warnings: Sequence[str]
    projection: Projection = "tsne"


def write_report(folder: Path, report: PartitionReport) -> None:
    """Write ``report.html`` and the plots ``clusters.png``, ``sizes.png``, ``similarity.png``, ``quality.png``.

    Raises:
        InputError: the folder cannot be written, or UMAP is asked for but not installed.
    """
    domains = report.partition.domains
    pictures = {
        "clusters": _map(report),
        "sizes": sizes_picture(domains),
        "similarity": similarity_picture(domains, _centroid_cosines(report)),
    }
    if report.numbers:
        pictures["quality"] = quality_picture(report.numbers, report.quality.domains)
    for name, content in pictures.items():
        write_bytes(folder / f"{name}.png", content)
    sections = [
        Section("Domains", [*(text(warning, "warning") for warning in report.warnings), _domains_table(report)]),
        Section("Map", [picture(pictures["clusters"], "captions coloured by domain", detailed=True)]),
        Section("Listen", list(_examples(report))),
        Section("Quality", list(_quality(report, pictures.get("quality")))),
        Section("Sizes", [picture(pictures["sizes"], "clips and captions of each domain", detailed=True)]),
        Section(
            "Similarity",
            [picture(pictures["similarity"], "cosines of the domains' centroids", detailed=True)],
        ),
        Section("Captions", list(_captions(report))),
    ]
    write_page(folder / "report.html", f"{len(domains)} domains of sound", _lead(report), sections)


def _lead(report: PartitionReport) -> Iterator[str]:
    settings, partition = report.partition.settings, report.partition
    how = f"imported from {settings['imported']}" if settings.get("imported") else f"by {settings['method']}"
    clips = int(report.features.clips.sum())
    yield f"{len(report.features.captions):,} captions of {clips:,} clips, {how}."
    yield f"Features: {report.kind}, of the encoder {partition.encoder_name}; seed {partition.seed}."


def _map(report: PartitionReport) -> bytes:
    """Plot the map of all captions, or of those with the most clips if there are very many."""
    features, count = report.features, len(report.features.captions)
    kept = np.sort(np.argsort(-features.clips, kind="stable")[:_MAPPED])
    shown = CaptionFeatures(
        tuple(features.captions[at] for at in kept), features.clips[kept], features.audio[kept], features.text[kept]
    )
    points = project(shown.of(report.kind), report.projection, report.partition.seed)
    which = f"{count} captions" if count == len(kept) else f"{len(kept)} of {count} captions"
    title = f"{which} by their {report.kind} features ({report.projection})"
    return map_picture(shown, points, report.ids[kept], report.partition.domains, title)


def _centroids(report: PartitionReport) -> FloatArray:
    """Return the centroids (K, D) in the space of the partitioned features (for ``both``, its audio half)."""
    partition = report.partition
    centroids = partition.text_centroids if report.kind == "text" else partition.audio_centroids
    return np.asarray(centroids.double().numpy())


def _centroid_cosines(report: PartitionReport) -> FloatArray:
    return similarities(_centroids(report), _centroids(report))


def _domains_table(report: PartitionReport) -> Markup:
    cosines = _centroid_cosines(report)
    np.fill_diagonal(cosines, -np.inf)
    domains = report.partition.domains
    lines = [
        [
            domain.id,
            domain.name,
            "; ".join(domain.typical),
            len(domain.captions),
            domain.clips,
            report.training_rows[domain.id],
            report.validation_mixtures[domain.id],
            domains[int(cosines[at].argmax())].id if len(domains) > 1 else Number(None),
        ]
        for at, domain in enumerate(domains)
    ]
    columns = ["id", "domain", "typical captions", "captions", "clips", "training", "validation", "most similar"]
    return table(columns, lines)


def _examples(report: PartitionReport) -> Iterator[Markup]:
    for domain in report.partition.domains:
        yield heading(f"{domain.id} {domain.name}")
        players = list(_players(report.rows[domain.id], domain))
        yield row(players) if players else text("No clip of this domain can be read.", "soft")
        yield folded(f"{len(domain.captions)} captions", [text(_joined(domain.captions))])


def _players(rows: Sequence[Row], domain: Domain) -> Iterator[Markup]:
    """Yield players of clips with typical captions; clips that cannot be read are logged and skipped."""
    rank = {caption: place for place, caption in enumerate(domain.typical)}
    found = 0
    for item in _one_of_each(sorted(rows, key=lambda item: rank.get(item.caption, len(rank))))[:_TRIED]:
        end = item.start + _SECONDS if item.end is None else min(item.end, item.start + _SECONDS)
        try:
            audio, rate = read_audio(item.wav, item.start, end)
        except InputError as error:
            _log.warning("omitted from the report: %s", error)
            continue
        yield player(audio[:2], rate, item.caption)
        found += 1
        if found == _EXAMPLES:
            return


def _one_of_each(rows: Iterable[Row]) -> list[Row]:
    """Return each clip once, with different captions first, otherwise in the order given."""
    seen: set[str] = set()
    turns: Counter[str] = Counter()
    ranked = []
    for item in rows:
        if item.id not in seen:
            seen.add(item.id)
            turns[item.caption] += 1
            ranked.append((turns[item.caption], item))
    return [item for _, item in sorted(ranked, key=lambda entry: entry[0])]


def _quality(report: PartitionReport, shown: bytes | None) -> Iterator[Markup]:
    rows = report.numbers or [report.quality]
    columns = ["domains", "silhouette", "Davies–Bouldin", "within / between", "seeds", "bootstrap"]
    lines: list[list[Cell]] = [[item.domains, *(Number(value, ".3f") for value in _measures(item))] for item in rows]
    yield table(columns, lines, marked=[at for at, item in enumerate(rows) if item.domains == report.quality.domains])
    yield text(
        "Silhouette: higher is better. Davies–Bouldin, within / between: lower is better. Seeds, bootstrap: adjusted"
        " Rand index between clusterings from other seeds and other samples of the captions; 1 is perfectly stable.",
        "soft",
    )
    if shown is not None:
        yield picture(shown, "quality over the number of domains, the chosen one marked", detailed=True)


def _measures(item: Quality) -> tuple[float | None, ...]:
    return item.silhouette, item.davies_bouldin, item.within_between, item.seeds, item.bootstrap


def _captions(report: PartitionReport) -> Iterator[Markup]:
    features, domains = report.features, report.partition.domains
    if report.unmatched:
        yield text(f"Not in the imported partition, so in the nearest domain: {_joined(report.unmatched)}", "soft")
    order = np.argsort(-features.clips, kind="stable")[:_LISTED]
    if len(order) < len(features.captions):
        yield text(f"The {len(order):,} captions with the most clips, of {len(features.captions):,}.", "soft")
    names = {domain.id: domain.name for domain in domains}
    cosines = _caption_cosines(report)
    place = {domain.id: at for at, domain in enumerate(domains)}
    lines = []
    for at in order.tolist():
        id = int(report.ids[at])
        others = np.delete(cosines[at], place[id])
        second = [domain.id for domain in domains if domain.id != id]
        lines.append(
            [
                features.captions[at],
                id,
                names[id],
                int(features.clips[at]),
                Number(float(cosines[at, place[id]]), ".3f"),
                second[int(others.argmax())] if second else Number(None),
            ]
        )
    columns = ["caption", "id", "domain", "clips", "similarity", "second nearest"]
    yield table(columns, lines, filtered=True)


def _caption_cosines(report: PartitionReport) -> FloatArray:
    """Return the cosines (C, K) of captions and domains, in the space of the centroids."""
    vectors = report.features.text if report.kind == "text" else report.features.audio
    return similarities(vectors, _centroids(report))


def _joined(captions: Sequence[str]) -> str:
    more = f" … and {len(captions) - _CAPTIONS_SHOWN} more" if len(captions) > _CAPTIONS_SHOWN else ""
    return "; ".join(captions[:_CAPTIONS_SHOWN]) + more
