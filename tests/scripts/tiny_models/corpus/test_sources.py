"""The table of sources and its licences."""

from __future__ import annotations

from pathlib import Path

import pytest

from tiny_models.corpus.sources import (
    FOLDS,
    LICENCES,
    SPELLINGS,
    normalise_licence,
    read_sources,
    table_from,
    write_sources,
)

HEADER = (
    "filename,fold,category,audioset_label,mid,captions,source,source_path,recording,same_package,licence,"
    "attribution,seconds,sample_rate"
)


def corpus_of(folder: Path, *rows: str) -> Path:
    (folder / "clips.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    return folder


def row(name: str, fold: int = 1, source: str = "game-data", licence: str = "CC0", version: str = "4:1.2-1") -> str:
    stated = f"{source} {version}".rstrip()
    facts = f"{name},{fold},bell,Bell,/m/1,a bell,{source},usr/bell.wav,bell:1,0"
    return f"{facts},{licence},{stated}: Ann; changes: cut,1,8000"


@pytest.mark.parametrize(
    ("spelling", "name"),
    [("CC-BY-SA-3.0+", "CC-BY-SA-3.0"), ("CC-SA-BY-3.0", "CC-BY-SA-3.0"), ("Expat", "MIT"), ("MIT", "MIT")],
)
def test_spellings_of_a_licence_get_one_name(spelling: str, name: str) -> None:
    assert normalise_licence(spelling) == name


def test_every_spelling_stands_for_a_permitted_licence() -> None:
    assert set(SPELLINGS.values()) <= LICENCES


@pytest.mark.parametrize("licence", ["GPL-2+", "LGPL-2.1", "GFDL-1.3", "CC-BY-NC-3.0", ""])
def test_other_licences_are_rejected(licence: str) -> None:
    with pytest.raises(ValueError, match="not permissive"):
        normalise_licence(licence)


def test_the_table_has_only_permitted_licences_and_training_folds() -> None:
    sources = read_sources()
    assert {source.licence for source in sources} <= LICENCES
    assert {source.fold for source in sources} == set(FOLDS)
    assert len({source.filename for source in sources}) == len(sources) == 2023
    assert all(source.attribution for source in sources)


def test_a_corpus_becomes_a_table(tmp_path: Path) -> None:
    [source] = table_from(corpus_of(tmp_path, row("a.ogg")), {})
    assert (source.registry, source.package, source.version) == ("debian", "game-data", "4:1.2-1")
    assert (source.path, source.licence) == ("usr/bell.wav", "CC0-1.0")


def test_packages_of_pypi_are_marked(tmp_path: Path) -> None:
    [source] = table_from(corpus_of(tmp_path, row("a.ogg", source="sounds (PyPI)", version="0.3")), {})
    assert (source.registry, source.package, source.version) == ("pypi", "sounds", "0.3")


def test_fold_4_is_left_out(tmp_path: Path) -> None:
    assert not table_from(corpus_of(tmp_path, row("a.ogg", fold=4, licence="GPL-2")), {})


def test_a_corpus_with_a_copyleft_clip_in_training_folds_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="GPL-2"):
        table_from(corpus_of(tmp_path, row("a.ogg", licence="GPL-2")), {})


def test_a_version_that_one_row_lacks_is_taken_from_another_row_of_the_package(tmp_path: Path) -> None:
    sources = table_from(corpus_of(tmp_path, row("a.ogg"), row("b.ogg", version="")), {"game-data": "9"})
    assert [source.version for source in sources] == ["4:1.2-1", "4:1.2-1"]


def test_a_version_that_no_row_states_is_the_one_that_was_found(tmp_path: Path) -> None:
    [source] = table_from(corpus_of(tmp_path, row("a.ogg", version="")), {"game-data": "9"})
    assert source.version == "9"


def test_a_written_table_is_read_back(tmp_path: Path) -> None:
    sources = table_from(corpus_of(tmp_path, row("a.ogg"), row("b.ogg", fold=3)), {})
    write_sources(sources, tmp_path / "sources.csv")
    assert read_sources(tmp_path / "sources.csv") == sources
