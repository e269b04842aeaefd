"""Tables of mixtures drawn from a manifest."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from dplass_cli.data.manifest import Row, write_manifest
from dplass_cli.data.mixture_tables import read_mixtures
from dplass_cli.data.prepare.drawing import draw_mixtures, draw_table
from dplass_cli.errors import InputError


def clip(name: str, caption: str, *labels: str) -> Row:
    return Row(Path(f"/clips/{name}.wav"), caption, labels, name)


ROWS = [
    *(clip(f"dog{number}", "a dog", "/m/dog") for number in range(8)),
    *(clip(f"rain{number}", "rain", "/m/rain") for number in range(2)),
    clip("walk", "a person walking", "/m/dog", "/m/steps"),
    clip("both", "rain", "/m/rain"),
    clip("both", "A DOG"),
]


def test_no_mixture_contains_the_target_twice() -> None:
    captions = {row.id: {each.caption.casefold() for each in ROWS if each.id == row.id} for row in ROWS}
    mixtures = draw_mixtures(ROWS, 300, (-5.0, 5.0), seed=1)
    assert len(mixtures) == 300
    for mixture in mixtures:
        assert captions[mixture.source.id].isdisjoint(captions[mixture.noise.id])
        assert not {mixture.source.id, mixture.noise.id} >= {"walk", "dog0"}
        assert not set(mixture.source.labels) & set(mixture.noise.labels)
        assert -5.0 <= mixture.snr_db <= 5.0
    assert len({mixture.snr_db for mixture in mixtures}) > 100


def test_captions_take_turns_as_targets() -> None:
    counts = Counter(mixture.source.caption for mixture in draw_mixtures(ROWS, 300, (0.0, 0.0), seed=1))
    assert set(counts) == {"a dog", "rain", "a person walking", "A DOG"}
    assert max(counts.values()) - min(counts.values()) <= 1
    targets = Counter(m.source.id for m in draw_mixtures(ROWS, 32, (0.0, 0.0), seed=1) if m.source.caption == "a dog")
    assert set(targets.values()) == {1}


def test_the_seed_decides() -> None:
    first, again, other = (draw_mixtures(ROWS, 20, (-5.0, 5.0), seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_table_is_written_and_read(tmp_path: Path) -> None:
    write_manifest(tmp_path / "m.json", ROWS)
    result = draw_table(tmp_path / "m.json", tmp_path / "mixtures.csv", 12, (0.0, 0.0), seed=3)
    read = read_mixtures(result.table)
    assert (result.mixtures, len(read)) == (12, 12)
    assert result.captions == 4
    assert [(m.source.caption, m.snr_db) for m in read[:2]] == [("a dog", 0.0), ("rain", 0.0)]


def test_clips_of_one_kind_make_no_mixture(tmp_path: Path) -> None:
    write_manifest(tmp_path / "m.json", ROWS[:8])
    with pytest.raises(InputError, match=r"m\.json: no two clips differ in caption and labels; a mixture needs two"):
        draw_table(tmp_path / "m.json", tmp_path / "mixtures.csv", 12, (0.0, 0.0), seed=3)
    assert not (tmp_path / "mixtures.csv").exists()
