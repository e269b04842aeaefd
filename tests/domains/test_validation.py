"""The split by clip id and the validation mixtures."""

from __future__ import annotations

import csv
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from dplass_cli.data.manifest import Row
from dplass_cli.data.mixture_tables import Mixture, write_mixtures
from dplass_cli.domains.validation import Split, split_rows, validation_mixtures


def _row(id: str, caption: str) -> Row:
    return Row(Path(f"/{id}.wav"), caption, id=id)


def _domains(domains: int = 3, clips: int = 40) -> dict[int, list[Row]]:
    return {k: [_row(f"{k}-{n}", f"sound {k}.{n % 4}") for n in range(clips)] for k in range(domains)}


def _ids(rows: list[Row]) -> set[str]:
    return {row.id for row in rows}


def test_about_the_fraction_is_held_out_the_same_way_each_time() -> None:
    domains = _domains(clips=400)
    split = split_rows(domains, 0.1, 42)
    assert split == split_rows(domains, 0.1, 42)
    assert split != split_rows(domains, 0.1, 43)
    for k in domains:
        assert 20 <= len(split.validation[k]) <= 70
        assert len(split.validation[k]) + len(split.training[k]) == 400


@settings(max_examples=150)
@given(
    st.dictionaries(st.integers(0, 4), st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=6), min_size=1),
    st.sampled_from([0.01, 0.1, 0.5, 0.99]),
    st.integers(0, 5),
)
def test_no_clip_is_on_both_sides(clips: dict[int, list[str]], fraction: float, seed: int) -> None:
    split = split_rows({k: [_row(id, f"{k}") for id in ids] for k, ids in clips.items()}, fraction, seed)
    training = {id for rows in split.training.values() for id in _ids(rows)}
    validation = {id for rows in split.validation.values() for id in _ids(rows)}
    assert not training & validation
    for k, ids in clips.items():
        assert len(split.training[k]) + len(split.validation[k]) == len(ids)
        assert len(set(ids)) < 2 or split.validation[k]


def test_small_domains_keep_a_clip_on_each_side() -> None:
    for seed in range(20):
        domains = {0: [_row("a", "x"), _row("b", "x")], 1: [_row("a", "y")], 2: [_row("c", "z")]}
        split = split_rows(domains, 0.6, seed)
        assert _ids(split.validation[0]) == {"b"}
        assert _ids(split.training[0]) == _ids(split.training[1]) == {"a"}
        assert _ids(split.training[2]) == {"c"}


def test_mixtures_pair_a_target_with_strangers_of_other_domains() -> None:
    domains = _domains()
    domains[1] += [_row("0-1", "rustle"), _row("odd", "sound 0.1")]  # a clip of domain 0, and a caption of it
    split = split_rows(domains, 0.3, 42)
    mixtures = validation_mixtures(split, 20, 42)
    assert mixtures == validation_mixtures(split, 20, 42)
    captions = {id: {r.caption for rows in domains.values() for r in rows if r.id == id} for id in ("0-1", "odd")}
    for k, chosen in mixtures.items():
        assert len(chosen) == len(set(chosen)) == 20
        others = [row for other, rows in split.validation.items() if other != k for row in rows]
        for mixture in chosen:
            assert mixture.source in split.validation[k]
            assert mixture.noise in others
            assert mixture.noise.id != mixture.source.id
            assert mixture.source.caption not in captions.get(mixture.noise.id, {mixture.noise.caption})
            assert mixture.snr_db == 0.0


def test_every_target_has_its_turn_before_one_comes_again() -> None:
    split = Split({0: [], 1: []}, {0: [_row("a", "x"), _row("b", "x")], 1: [_row(f"n{i}", "y") for i in range(3)]})
    chosen = validation_mixtures(split, 5, 0)[0]
    assert {m.source.id for m in chosen[:2]} == {m.source.id for m in chosen[2:4]} == {"a", "b"}
    assert len(validation_mixtures(split, 100, 0)[0]) == 6  # all there are


def test_training_clips_step_in_where_validation_has_no_stranger() -> None:
    split = Split(
        {0: [_row("t", "x")], 1: [_row("free", "z")]},
        {0: [_row("a", "x")], 1: [_row("a", "y"), _row("b", "X")]},
    )
    assert [m.noise.id for m in validation_mixtures(split, 5, 0)[0]] == ["free"]
    alone = Split({0: [_row("t", "x")]}, {0: [_row("a", "x")]})
    assert validation_mixtures(alone, 5, 0) == {0: []}


def test_the_csv_has_ranges_only_where_rows_have_them(tmp_path: Path) -> None:
    plain = Mixture(_row("a", "x, loud"), _row("b", "y"))
    write_mixtures(tmp_path / "val0.csv", [plain])
    with open(tmp_path / "val0.csv", newline="") as stream:
        assert list(csv.reader(stream)) == [
            ["idx", "caption", "src_wav", "noise_wav", "snr_db"],
            ["0", "x, loud", "/a.wav", "/b.wav", "0.0"],
        ]
    ranged = Mixture(Row(Path("/a.wav"), "x", start=1.5, end=3.0), _row("b", "y"))
    write_mixtures(tmp_path / "val1.csv", [plain, ranged])
    with open(tmp_path / "val1.csv", newline="") as stream:
        last = list(csv.DictReader(stream))[1]
    assert (last["src_start"], last["src_end"], last["noise_start"], last["noise_end"]) == ("1.5", "3.0", "0.0", "")
