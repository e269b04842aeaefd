"""The sounds to look for: a list of labels, each described by one or several sentences."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch.nn import functional as F

from dplass_cli.data.ontology import class_names
from dplass_cli.encoders import QueryEncoder, load_encoder
from dplass_cli.errors import InputError, similar, some
from dplass_cli.resources import resource
from dplass_cli.storage import read_text
from dplass_cli.tagging.calibration import Scores, tag_calibration_of, tag_scores

SCENES = "metadata/scenes.txt"

Sentences = Mapping[str, tuple[str, ...]]
"""{label: the sentences that describe it}."""


def read_labels(path: Path) -> dict[str, tuple[str, ...]]:
    """Read lines ``label`` or ``label<TAB>sentence|sentence``; a label without sentences describes itself.

    Blank lines and lines that begin with ``#`` are skipped.

    Raises:
        InputError: there is no such file, it contains no label, a label occurs twice, or a line is malformed.
    """
    labels: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        label, *rest = (part.strip() for part in line.split("\t"))
        sentences = tuple(filter(None, (part.strip() for text in rest for part in text.split("|"))))
        if not label or len(rest) > 1:
            raise InputError(f"{path}: line {number}: expected label<TAB>sentence|sentence, not {line[:80]!r}")
        if label in labels:
            raise InputError(f"{path}: line {number}: {label!r} is already in the list; remove one of them")
        labels[label] = sentences or (label,)
    if not labels:
        raise InputError(f"{path}: contains no label; write one per line")
    return labels


def named_labels(name: str | None, encoder: QueryEncoder) -> dict[str, tuple[str, ...]]:
    """The labels that ``--labels`` names.

    Args:
        name: ``audioset``, ``scenes`` or a file; None for the encoder's list of sounds or, if any sentence will do,
            that of the bundled encoder.
        encoder: the encoder.

    Raises:
        InputError: as :func:`read_labels`.
    """
    if name is None:
        return {kind: (kind,) for kind in encoder.kinds or load_encoder("tiny").kinds}
    if name == "audioset":
        return {label: (label,) for label in class_names().values()}
    if name == "scenes":
        return read_labels(resource(SCENES))
    if not Path(name).exists() and (meant := similar(name, ("audioset", "scenes"))):
        raise InputError(f"--labels {name}: no such file{meant}")
    return read_labels(Path(name))


class SentenceLabels:
    """Labels that are compared with audio by the sentences that describe them.

    Args:
        labels: {label: its sentences}.
        encoder: embeds the sentences, and the audio that is scored.
        source: what the labels come from, for error messages.

    Attributes:
        names: the labels whose sentences the encoder knows.
        unknown: {label: a note that the encoder knows none of its sentences}.
        calibrated: scores are probabilities.
        vectors: text embeddings of the labels, float32 (L, D), unit norm.

    Raises:
        InputError: the encoder cannot compare sounds, or knows none of the labels.
    """

    def __init__(self, labels: Sentences, encoder: QueryEncoder, source: str = "--labels") -> None:
        if not encoder.embeds_audio:
            encoder.embed_audio([torch.zeros(1)], encoder.sample_rate)  # raises an InputError that says why
        known: dict[str, list[str]] = {}
        self.unknown: dict[str, str] = {}
        for label, sentences in labels.items():
            notes = {text: None if text in encoder.kinds else encoder.out_of_vocabulary(text) for text in sentences}
            if fitting := [text for text, note in notes.items() if note is None]:
                known[label] = fitting
            else:
                self.unknown[label] = next(note for note in notes.values() if note is not None)
        if not known:
            raise InputError(
                f"{source}: the {encoder.name} encoder knows none of {some(map(repr, labels), 3)}; 'dplass sounds'"
                " lists what it knows"
            )
        self.names = tuple(known)
        means = [encoder.embed_text(sentences).mean(dim=0) for sentences in known.values()]
        self.vectors = F.normalize(torch.stack(means), dim=-1).numpy()
        self._calibration = tag_calibration_of(encoder.fingerprint)
        self.calibrated = self._calibration is not None

    def scores(self, embeddings: Scores) -> Scores:
        """Score audio embeddings, float32 (N, D), unit norm: (N, L), 0 to 1."""
        return tag_scores(embeddings @ self.vectors.T, self._calibration)
