"""The clips of a manifest with their labels, and shares of them in which every label occurs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dplass_cli.data.manifest import read_manifest, row_values
from dplass_cli.data.ontology import class_names
from dplass_cli.domains.features import clip_of
from dplass_cli.encoders.clips import Clip
from dplass_cli.errors import InputError, some


@dataclass(frozen=True)
class LabelledClip:
    """A clip to fit or to measure a head with.

    Attributes:
        clip: the range of the file.
        labels: the sounds or scenes in it.
        recording: its id in the manifest; clips of one recording are never divided.
        group: the value of the key by which results are shown, such as a device.
    """

    clip: Clip
    labels: frozenset[str]
    recording: str
    group: str


def labelled_clips(manifest: Path, key: str, wanted: Collection[str] = (), source: str = "") -> list[LabelledClip]:
    """Read the clips of a manifest; the label of a row is the names of its ``labels``, or else its caption.

    Args:
        manifest: the manifest.
        key: of the rows, by whose values results are shown.
        wanted: the labels to use; clips that have none of them are left out. All if empty.
        source: where ``wanted`` comes from, for error messages.

    Raises:
        InputError: the manifest is unusable, or contains no clip of a wanted label.
    """
    names = class_names()
    labels: dict[Clip, set[str]] = {}
    ids: dict[Clip, tuple[str, str]] = {}
    for row, group in zip(read_manifest(manifest), row_values(manifest, key), strict=True):
        clip = clip_of(row)
        labels.setdefault(clip, set()).update(names.get(label, label) for label in row.labels or (row.caption,))
        ids.setdefault(clip, (row.id, group))
    if wanted:
        labels = {clip: own & set(wanted) for clip, own in labels.items() if not own.isdisjoint(wanted)}
        missing = set(wanted).difference(*labels.values())
        if missing:
            raise InputError(
                f"{source}: {manifest} contains no clip of {some(map(repr, sorted(missing)), 5)}; remove the label, or"
                " add clips"
            )
    return [LabelledClip(clip, frozenset(own), *ids[clip]) for clip, own in labels.items()]


def draw_share(
    clips: Sequence[LabelledClip], share: float, seed: int, keep_rest: bool = False
) -> npt.NDArray[np.bool_]:
    """Draw a share of the recordings of each label at random: which clips are drawn, bool (N,).

    Larger shares with the same seed contain smaller ones, as far as recordings have one label.

    Args:
        clips: the clips.
        share: 0 to 1; at least one recording of each label is drawn.
        seed: of the draw.
        keep_rest: leave at least one recording of each label, and draw none of a label that has only one.
    """
    labels: dict[str, set[str]] = defaultdict(set)  # of each recording
    for each in clips:
        labels[each.recording] |= each.labels
    order = np.random.default_rng(seed).permutation(sorted(labels)).tolist()
    recordings: dict[str, list[str]] = defaultdict(list)  # of each label
    for recording in order:
        for label in labels[recording]:
            recordings[label].append(recording)
    left = {label: len(own) for label, own in recordings.items()}
    drawn: set[str] = set()
    for label in sorted(recordings):
        own = recordings[label]
        number = max(1, round(share * len(own)))
        for recording in own:
            if sum(each in drawn for each in own) >= number:
                break
            if recording in drawn or (keep_rest and any(left[other] < 2 for other in labels[recording])):
                continue
            drawn.add(recording)
            for other in labels[recording]:
                left[other] -= 1
    return np.array([each.recording in drawn for each in clips])
