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
from dplass_cli.domains.quality import STABLE, choose
from dplass_cli.errors import InputError
from dplass_cli.evaluation.table import Figure
from dplass_cli.options.partition_options import Features, PartitionOptions
from dplass_cli.options.shell_command import shell_command
from dplass_cli.reports.page import (
    Cell,
    ModelFile,
    Provenance,
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
_CONTENTS = 12  # captions of a domain in the table of domains
_PUBLISHED_DOMAINS = 7  # of DP-LASS
# What a mean silhouette says of a clustering: Kaufman and Rousseeuw, "Finding Groups in Data", 1990, table 4.
_STRUCTURES = ((0.7, "strong structure"), (0.5, "reasonable structure"), (0.25, "weak structure"))


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
        Section(
            "Domains",
            [
                *(text(warning, "warning") for warning in warnings),
                _domains_table(result, between, rows),
                text(why_this_many(result, options), "soft"),
            ],
        ),
        Section("Map", [picture(pictures["clusters"], "captions coloured by domain", kind="detailed")]),
        Section("Listen", list(_examples(domains, rows))),
        Section("Quality", list(_quality(result, pictures.get("quality")))),
        Section("Sizes", [picture(pictures["sizes"], "clips and captions of each domain", kind="detailed")]),
        Section("Similarity", [folded("Cosines of the domains' centroids", [_similarity(pictures["similarity"])])]),
        Section("Captions", list(_captions(result, features, ids, similarities(vectors, directions)))),
    ]
    lead = _lead(result.partition, features, options.features)
    encoder = ModelFile("encoder", result.partition.encoder_name, result.partition.encoder_fingerprint)
    write_page(
        result.folder / "report.html",
        f"{len(domains)} domains of sound",
        lead,
        sections,
        verdict=verdict(result),
        provenance=Provenance(shell_command("partition", options), [encoder]),
    )


def verdict(result: PartitionResult) -> str:
    """How distinct and how stable the domains are, in one sentence."""
    quality, count = result.quality, len(result.partition.domains)
    subject = f"{count} domain{'s' * (count != 1)}"
    if quality.silhouette is None:
        return f"{subject}; too few to measure how distinct they are."
    structure = next((name for least, name in _STRUCTURES if quality.silhouette > least), "no substantial structure")
    measured = [value for value in (quality.seeds, quality.bootstrap) if value is not None]
    if not measured:
        stability = "their stability was not measured (--report measures it)"
    elif min(measured) >= STABLE:
        stability = "stable across seeds and samples"
    else:
        stability = "not stable across seeds and samples"
    return f"{subject} with {structure} (silhouette {quality.silhouette:.2f}); {stability}."


def why_this_many(result: PartitionResult, options: PartitionOptions) -> str:
    """Where the number of domains comes from, in one sentence."""
    count = len(result.partition.domains)
    if options.import_file is not None:
        return f"The number of domains is that of {options.import_file.name}."
    if options.method == "hdbscan":
        return "The number of domains was found by hdbscan."
    if options.domains == "auto":
        return "The number of domains has the best silhouette of the stable ones from 2 to 15 (the table of quality)."
    reason = f"{count} domains are what --domains asks for"
    if count == _PUBLISHED_DOMAINS:
        reason = "Seven is the number of domains of the published method, DP-LASS, and the default"
    if not result.numbers:
        return f"{reason}; it was not compared with others on these captions (--report compares 2 to 15)."
    best = choose(result.numbers)
    return f"{reason}; on these captions, --domains auto would choose {'the same' if best == count else best}."


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


def _similarity(png: bytes) -> Markup:
    return picture(png, "cosines of the domains' centroids", kind="detailed")


def _domains_table(result: PartitionResult, between: FloatArray, rows: Mapping[int, Sequence[Row]]) -> Markup:
    domains = result.partition.domains
    nearest = np.where(np.eye(len(domains), dtype=bool), -np.inf, between).argmax(axis=1)
    lines: list[list[Cell]] = [
        [
            _named(domain),
            _contents(domain, rows[domain.id]),
            len(domain.captions),
            domain.clips,
            result.training_rows[domain.id],
            result.validation_mixtures[domain.id],
            _named(domains[other]) if len(domains) > 1 else "",
        ]
        for domain, other in zip(domains, nearest.tolist(), strict=True)
    ]
    columns = ["domain", "captions by clips", "captions", "clips", "training", "validation", "most similar"]
    return table(columns, lines)


def _named(domain: Domain) -> str:
    return f"{domain.id} {domain.name}"


def _contents(domain: Domain, rows: Iterable[Row]) -> str:
    """The captions of a domain with the most clips; then those nearest to the centroid, which are typical."""
    clips = Counter(row.caption for row in rows)
    captions = sorted(dict.fromkeys((*domain.typical, *domain.captions)), key=lambda caption: -clips[caption])
    more = f" … and {len(captions) - _CONTENTS} more" if len(captions) > _CONTENTS else ""
    return "; ".join(f"{caption} ({clips[caption]})" for caption in captions[:_CONTENTS]) + more


def _examples(domains: Iterable[Domain], rows: Mapping[int, Sequence[Row]]) -> Iterator[Markup]:
    for domain in domains:
        yield heading(_named(domain))
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
    chosen = [at for at, item in enumerate(rows) if item.domains == result.quality.domains]
    if shown is not None:
        yield picture(shown, "quality over the number of domains, the chosen one marked", kind="detailed")
    judged = table(columns, lines, marked=chosen)
    yield folded(f"Quality of {rows[0].domains} to {rows[-1].domains} domains", [judged]) if result.numbers else judged
    yield text(
        "Silhouette: higher is better. Davies–Bouldin, within / between: lower is better. Seeds, bootstrap: adjusted"
        " Rand index between clusterings from other seeds and other samples of the captions; 1 is perfectly stable.",
        "soft",
    )


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
                _named(domains[own]),
                int(features.clips[at]),
                Figure(float(cosines[at, own]), ".3f"),
                _named(domains[int(others.argmax())]) if len(domains) > 1 else "",
            ]
        )
    columns = ["caption", "domain", "clips", "similarity", "second nearest"]
    yield folded(f"{len(lines):,} captions with their domains", [table(columns, lines, filtered=True)])


def _joined(captions: Sequence[str]) -> str:
    more = f" … and {len(captions) - _CAPTIONS_SHOWN} more" if len(captions) > _CAPTIONS_SHOWN else ""
    return "; ".join(captions[:_CAPTIONS_SHOWN]) + more
