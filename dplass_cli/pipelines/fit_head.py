"""``tag --fit``: a head on frozen audio embeddings, and what it reaches."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dplass_cli.encoders import QueryEncoder, load_encoder_of, space_of
from dplass_cli.encoders.cache import EmbeddingCache
from dplass_cli.encoders.clips import Clip, embed_clips
from dplass_cli.errors import InputError
from dplass_cli.options.parse import to_mapping
from dplass_cli.options.shell_command import shell_command
from dplass_cli.options.tag_options import TagOptions
from dplass_cli.reports.head_report import head_tables, write_head_report
from dplass_cli.reports.page import ModelFile, Provenance
from dplass_cli.storage import Progress, make_folder, no_progress, write_json, write_text
from dplass_cli.tagging.head_fitting import EmbeddedClips, HeadFigures, fit_and_measure, held_out
from dplass_cli.tagging.labelled_clips import labelled_clips
from dplass_cli.tagging.labels import named_labels
from dplass_cli.tagging.mel_augmentations import MelAugmenter


@dataclass(frozen=True)
class FitHeadResult:
    """Result of :func:`fit_head`.

    Attributes:
        head: the file, for ``tag --head``.
        encoder: fingerprint of the encoder that it belongs to.
        figures: what it reaches on the test clips.
        key: the key of the manifest by whose values results are shown.
        failed: {file: why it could not be embedded}.
    """

    head: str
    encoder: str
    figures: HeadFigures
    key: str
    failed: dict[str, str]


def fit_head(options: TagOptions, progress: Progress = no_progress) -> FitHeadResult:
    """Fit a head, measure it, and write ``head.safetensors``, ``results.json``, ``results.md`` and ``report.html``.

    Raises:
        InputError: wrong options, an unusable manifest or encoder, labels without clips, or no clip that can be read.
    """
    if options.fit is None or options.output is None:
        raise InputError("--fit: writes the head and its report to --output; name a folder")
    if options.recordings:
        raise InputError(f"{options.recordings[0]}: --fit takes no recordings; tag them with --head afterwards")
    encoder = load_encoder_of(options.model)
    wanted = named_labels(options.labels, encoder) if options.labels else ()
    augment = None
    if options.augment:
        augment = MelAugmenter(encoder, options.augment, options.head_fit, options.seed, options.impulse_responses)
    failed: dict[Clip, str] = {}
    given = _embedded(options.fit, options, encoder, wanted, failed, progress)
    if options.test is None:
        training, test = held_out(given, options.head_fit.test_share, options.seed, str(options.fit))
    else:
        training, test = given, _embedded(options.test, options, encoder, (), failed, progress)
    head, figures = fit_and_measure(
        training, test, space_of(encoder), options.head_fit, options.seed, options.fraction, augment, str(options.fit)
    )
    output = make_folder(options.output)
    head.save(output / "head.safetensors")
    reasons = {str(clip.wav): reason for clip, reason in failed.items()}
    result = FitHeadResult(str(output / "head.safetensors"), encoder.fingerprint, figures, options.by, reasons)
    write_json(output / "results.json", to_mapping(result))
    write_text(output / "results.md", "\n".join(table.markdown() for table in head_tables(figures, options.by)))
    model = ModelFile("encoder", encoder.name, encoder.fingerprint)
    write_head_report(
        output / "report.html", figures, options.by, reasons, Provenance(shell_command("tag", options), (model,))
    )
    return result


def _embedded(
    manifest: Path,
    options: TagOptions,
    encoder: QueryEncoder,
    wanted: Collection[str],
    failed: dict[Clip, str],
    progress: Progress,
) -> EmbeddedClips:
    """The clips of a manifest that can be embedded, and their embeddings."""
    clips = {each.clip: each for each in labelled_clips(manifest, options.by, wanted, f"--labels {options.labels}")}
    cache = None if options.cache is None else EmbeddingCache(options.cache, encoder, options.embedding.identity)
    pairs = list(embed_clips(list(clips), encoder, cache, options.embedding, failed, progress))
    if not pairs:
        raise InputError(next(iter(failed.values())))
    return EmbeddedClips([clips[clip] for clip, _ in pairs], np.stack([vector for _, vector in pairs]))
