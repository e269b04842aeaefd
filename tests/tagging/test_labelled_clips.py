"""Clips with labels, and shares of them."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from dplass_cli.encoders.clips import Clip
from dplass_cli.errors import InputError
from dplass_cli.tagging.labelled_clips import LabelledClip, draw_share, labelled_clips


def manifest(folder: Path) -> Path:
    rows = [
        {"wav": "a.wav", "caption": "a dog barks", "labels": ["/m/05tny_"], "device": "a"},
        {"wav": "a.wav", "caption": "woof", "labels": ["/m/06mb1", "mine"]},
        {"wav": "b.wav", "caption": "park", "device": "b"},
    ]
    (folder / "m.json").write_text(json.dumps({"data": rows}))
    return folder / "m.json"


def test_labels_are_names_or_captions_and_the_rows_of_a_clip_are_one(tmp_path: Path) -> None:
    first, second = labelled_clips(manifest(tmp_path), "device")
    assert first.labels == {"Bark", "Rain", "mine"}
    assert (second.labels, second.group, second.recording) == ({"park"}, "b", "b")


def test_only_wanted_labels_are_used(tmp_path: Path) -> None:
    (only,) = labelled_clips(manifest(tmp_path), "device", ("Rain",))
    assert only.labels == {"Rain"}


def test_a_wanted_label_without_clips_is_an_error(tmp_path: Path) -> None:
    path = manifest(tmp_path)
    with pytest.raises(InputError, match=rf"^--labels x: {path} contains no clip of 'bus', 'tram'; remove the label"):
        labelled_clips(path, "device", ("tram", "Rain", "bus"), "--labels x")


def clips(*labels: str) -> list[LabelledClip]:
    """One clip per recording; a label is a text of letters, each of them a label."""
    return [LabelledClip(Clip(Path(f"{n}.wav"), 0.0, None), frozenset(own), str(n), "") for n, own in enumerate(labels)]


def test_a_share_contains_every_label_and_larger_shares_contain_it() -> None:
    given = clips(*"aaaaaaaaaabbbbbbbbbbc")
    drawn = [draw_share(given, share, 3) for share in (0.05, 0.2, 0.5, 1.0)]
    counts = [
        [sum(rows[n] for n, each in enumerate(given) if label in each.labels) for label in "abc"] for rows in drawn
    ]
    assert counts == [[1, 1, 1], [2, 2, 1], [5, 5, 1], [10, 10, 1]]
    for smaller, larger in pairwise(drawn):
        assert larger[smaller].all()


def test_the_rest_keeps_every_label() -> None:
    given = clips("a", "a", "a", "ab", "b", "c")
    drawn = draw_share(given, 0.9, 0, keep_rest=True)
    left = {label for each, taken in zip(given, drawn, strict=True) if not taken for label in each.labels}
    assert left == {"a", "b", "c"}
    assert drawn.any()


def test_clips_of_one_recording_stay_together() -> None:
    given = [LabelledClip(Clip(Path("x.wav"), float(n), n + 1.0), frozenset("a"), str(n // 2), "") for n in range(8)]
    drawn = draw_share(given, 0.5, 1)
    assert np.array_equal(drawn[::2], drawn[1::2])
    assert drawn.sum() == 4
