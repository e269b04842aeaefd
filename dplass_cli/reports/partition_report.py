"""The HTML report of a partition: its quality, and the captions and sounds of each domain."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from markupsafe import Markup

from dplass_cli.audio.reading import read_audio
from dplass_cli.data.manifest import Row
from dplass_cli.domains.features import CaptionFeatures, FloatArray, IntArray, similarities
from dplass_cli.domains.partition_folder import Domain, Partition
from dplass_cli.domains.partitioning import PartitionResult
from dplass_cli.errors import InputError
from dplass_cli.evaluation.table import NO_FIGURE, Figure
from dplass_cli.options.partition_options import Features, PartitionOptions
from dplass_cli.reports.page import (
    Cell,
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


def write_report(
    result: PartitionResult,
    features: CaptionFeatures,
    ids: IntArray,
    rows: Mapping[int, Sequence[Row]],
    warnings: Iterable[str],
    options: PartitionOptions,
) -> None:
    """Write ``report.html`` and the plots ``clusters.png``, ``sizes.png``, ``similarity.png``, ``quality.png``.

    Args:
        features: features of C captions.
        ids: int64 (C,), the domain of each caption.
        rows: {domain id: rows of the manifest}.

    Raises:
        InputError: the folder cannot be written, or UMAP is asked for but not installed.
    """
    domains = result.partition.domains
    text_space = options.features == "text"  # for ``both``, the report compares the audio halves
    centroids = result.partition.text_centroids if text_space else result.partition.audio_centroids
    directions = centroids.double().numpy()
    vectors = features.text if text_space else features.audio
    between = similarities(directions, directions)
    pictures = {
        "clusters": _map(result.partition, features, ids, options),
        "sizes": sizes_picture(domains),
        "similarity": similarity_picture(domains, between),
    }
    if result.numbers:
        pictures["quality"] = quality_picture(result.numbers, result.quality.domains)
    for name, content in pictures.items():
        write_bytes(result.folder / f"{name}.png", content)
    sections = [
        Section("Domains", [*(text(warning, "warning") for warning in warnings), _domains_table(result, between)]),
        Section("Map", [picture(pictures["clusters"], "captions coloured by domain", detailed=True)]),
        Section("Listen", list(_examples(domains, rows))),
        Section("Quality", list(_quality(result, pictures.get("quality")))),
        Section("Sizes", [picture(pictures["sizes"], "clips and captions of each domain", detailed=True)]),
        Section(
            "Similarity",
            [picture(pictures["similarity"], "cosines of the domains' centroids", detailed=True)],
        ),
        Section("Captions", list(_captions(result, features, ids, similarities(vectors, directions)))),
    ]
    lead = _lead(result.partition, features, options.features)
    write_page(result.folder / "report.html", f"{len(domains)} domains of sound", lead, sections)


def _lead(partition: Partition, features: CaptionFeatures, kind: Features) -> Iterator[str]:
    settings = partition.settings
    how = f"imported from {settings['imported']}" if settings.get("imported") else f"by {settings['method']}"
    yield f"{len(features.captions):,} captions of {int(features.clips.sum()):,} clips, {how}."
    yield f"Features: {kind}, of the encoder {partition.encoder_name}; seed {partition.seed}."


def _map(partition: Partition, features: CaptionFeatures, ids: IntArray, options: PartitionOptions) -> bytes:
    """Plot the map of all captions, or of those with the most clips if there are very many."""
    count = len(features.captions)
    kept = np.sort(np.argsort(-features.clips, kind="stable")[:_MAPPED])
    shown = CaptionFeatures(
        tuple(features.captions[at] for at in kept), features.clips[kept], features.audio[kept], features.text[kept]
    )
    points = project(shown.of(options.features), options.map, partition.seed)
    which = f"{count} captions" if count == len(kept) else f"{len(kept)} of {count} captions"
    title = f"{which} by their {options.features} features ({options.map})"
    return map_picture(shown, points, ids[kept], partition.domains, title)


def _domains_table(result: PartitionResult, between: FloatArray) -> Markup:
    domains = result.partition.domains
    nearest = np.where(np.eye(len(domains), dtype=bool), -np.inf, between).argmax(axis=1)
    lines = [
        [
            domain.id,
            domain.name,
            "; ".join(domain.typical),
            len(domain.captions),
            domain.clips,
            result.training_rows[domain.id],
            result.validation_mixtures[domain.id],
            domains[other].id if len(domains) > 1 else NO_FIGURE,
        ]
        for domain, other in zip(domains, nearest.tolist(), strict=True)
    ]
    columns = ["id", "domain", "typical captions", "captions", "clips", "training", "validation", "most similar"]
    return table(columns, lines)


def _examples(domains: Iterable[Domain], rows: Mapping[int, Sequence[Row]]) -> Iterator[Markup]:
    for domain in domains:
        yield heading(f"{domain.id} {domain.name}")
        players = list(_players(rows[domain.id], domain))
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


def _quality(result: PartitionResult, shown: bytes | None) -> Iterator[Markup]:
    rows = result.numbers or [result.quality]
    columns = ["domains", "silhouette", "Davies–Bouldin", "within / between", "seeds", "bootstrap"]
    measures = ("silhouette", "davies_bouldin", "within_between", "seeds", "bootstrap")
    lines: list[list[Cell]] = [
        [item.domains, *(Figure(getattr(item, name), ".3f") for name in measures)] for item in rows
    ]
    yield table(columns, lines, marked=[at for at, item in enumerate(rows) if item.domains == result.quality.domains])
    yield text(
        "Silhouette: higher is better. Davies–Bouldin, within / between: lower is better. Seeds, bootstrap: adjusted"
        " Rand index between clusterings from other seeds and other samples of the captions; 1 is perfectly stable.",
        "soft",
    )
    if shown is not None:
        yield picture(shown, "quality over the number of domains, the chosen one marked", detailed=True)


def _captions(
    result: PartitionResult, features: CaptionFeatures, ids: IntArray, cosines: FloatArray
) -> Iterator[Markup]:
    """Yield the table of captions; ``cosines`` (C, K) are those of captions and centroids."""
    domains = result.partition.domains
    if result.unmatched:
        yield text(f"Not in the imported partition, so in the nearest domain: {_joined(result.unmatched)}", "soft")
    order = np.argsort(-features.clips, kind="stable")[:_LISTED]
    if len(order) < len(features.captions):
        yield text(f"The {len(order):,} captions with the most clips, of {len(features.captions):,}.", "soft")
    place = {domain.id: at for at, domain in enumerate(domains)}
    lines = []
    for at in order.tolist():
        own = place[int(ids[at])]
        others = np.where(np.arange(len(domains)) == own, -np.inf, cosines[at])
        lines.append(
            [
                features.captions[at],
                domains[own].id,
                domains[own].name,
                int(features.clips[at]),
                Figure(float(cosines[at, own]), ".3f"),
                domains[int(others.argmax())].id if len(domains) > 1 else NO_FIGURE,
            ]
        )
    columns = ["caption", "id", "domain", "clips", "similarity", "second nearest"]
    yield table(columns, lines, filtered=True)


def _joined(captions: Sequence[str]) -> str:
    more = f" … and {len(captions) - _CAPTIONS_SHOWN} more" if len(captions) > _CAPTIONS_SHOWN else ""
    return "; ".join(captions[:_CAPTIONS_SHOWN]) + more
