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
    with pytest.raises(InputError, match=r"m\.json: no 2 clips have unrelated captions and labels; a mixture of 2 "):
        draw_table(tmp_path / "m.json", tmp_path / "mixtures.csv", 12, (0.0, 0.0), seed=3)
    assert not (tmp_path / "mixtures.csv").exists()


NATURE = [
    *(clip(name, name, mid) for name, mid in (("animal", "/m/0jbk"), ("dog", "/m/0bt9lr"), ("bark", "/m/05tny_"))),
    *(clip(name, name) for name in ("Rain", "Water", "a door")),
]


GROUPS = ({"animal", "dog", "bark"}, {"Rain", "Water"}, {"a door"})


def test_sounds_that_contain_each_other_are_not_mixed() -> None:
    mixtures = draw_mixtures(NATURE, 60, (0.0, 0.0), seed=1)
    assert {mixture.source.caption for mixture in mixtures} == set().union(*GROUPS)
    for mixture in mixtures:
        pair = {mixture.source.caption, mixture.noise.caption}
        assert not any(pair <= group for group in GROUPS)


def test_numbers_of_sources_take_turns() -> None:
    mixtures = draw_mixtures(NATURE, 40, (-3.0, 3.0), seed=1, sources=(2, 3))
    assert [len(mixture.rows) for mixture in mixtures] == [2, 3] * 20
    assert len({mixture.source.caption for mixture in mixtures[1::2]}) > 2
    for mixture in mixtures[1::2]:
        captions = [row.caption for row in mixture.rows]
        assert [sum(caption in group for caption in captions) for group in GROUPS] == [1, 1, 1]


def test_too_few_kinds_of_sound_for_three_sources_are_refused(tmp_path: Path) -> None:
    write_manifest(tmp_path / "m.json", ROWS[:10])
    with pytest.raises(
        InputError, match=r"m\.json: no 3 clips have unrelated .*; a mixture of 3 sources needs 3 kinds"
    ):
        draw_table(tmp_path / "m.json", tmp_path / "mixtures.csv", 12, (0.0, 0.0), seed=3, sources=(2, 3))
