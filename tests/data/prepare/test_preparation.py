"""From a table of clips to a manifest and a list of unused clips."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dplass_cli.audio.writing import write_audio
from dplass_cli.data.captions import ClipCaption
from dplass_cli.data.manifest import read_manifest
from dplass_cli.data.prepare.corpora import CORPORA, Corpus
from dplass_cli.data.prepare.preparation import OVER, prepare
from dplass_cli.data.prepare.prepare_result import ClassCount, PrepareResult, PuritySummary
from dplass_cli.errors import InputError
from dplass_cli.options.prepare_options import ClipLimits, ClipSelection, PuritySettings

RANGES = Corpus("", "", ("caption",), hint="check the table")


def caption(*classes: str) -> ClipCaption:
    return ClipCaption(" and ".join(classes), tuple(f"/m/{name}" for name in classes), classes)


def clips(*rows: tuple[str, str | None, Sequence[ClipCaption]], fault: str | None = None) -> pd.DataFrame:
    table = pd.DataFrame([(id, path, tuple(texts)) for id, path, texts in rows], columns=["id", "path", "texts"])
    return table.assign(fault=fault, start=0.0, end=float("nan")).astype({"path": object, "fault": object})


def prepared(table: pd.DataFrame, folder: Path, corpus: Corpus = RANGES, **selection: Any) -> PrepareResult:
    chosen = ClipSelection(**{"check": "none", "max_missing": 1.0, **selection})
    return prepare(table, corpus, folder / "train.json", chosen, [folder])


def rejects(result: PrepareResult) -> list[tuple[str, str]]:
    return list(pd.read_csv(result.rejects)[["id", "reason"]].itertuples(index=False, name=None))


def test_usable_clips_become_rows_in_their_order(tmp_path: Path) -> None:
    table = clips(("b", "/b.wav", [caption("dog"), caption("rain")]), ("a", "/a.wav", [caption("dog")]))
    result = prepared(table, tmp_path)
    assert [(row.id, row.caption) for row in read_manifest(result.manifest)] == [
        ("b", "dog"),
        ("b", "rain"),
        ("a", "dog"),
    ]
    assert (result.segments, result.used_clips, result.rows, result.rejected) == (2, 2, 3, {})
    assert result.classes == {"dog": ClassCount(2), "rain": ClassCount(1)}


def test_unused_clips_are_listed_with_their_reasons(tmp_path: Path) -> None:
    table = clips(("a", None, [caption("dog")]), ("b", "/b.wav", [caption("rain")]), ("c", "/c.wav", []))
    table["fault"] = ["missing", None, "no caption"]
    result = prepared(table, tmp_path)
    assert rejects(result) == [("a", "missing"), ("c", "no caption")]
    assert result.rejected == {"missing": 1, "no caption": 1}
    assert result.classes["dog"] == ClassCount(0, 1)


def test_the_corpus_names_the_list_of_unused_clips(tmp_path: Path) -> None:
    table = clips(("a", "/a.wav", [caption("dog")]))
    assert prepared(table.copy(), tmp_path).rejects == tmp_path / "train-rejects.csv"
    result = prepared(table.copy(), tmp_path, CORPORA["audioset"])
    assert result.rejects == tmp_path / "rejects.csv"
    assert result.rejects.read_text() == "ytid,start,end,reason,path,labels\n"


def test_ranges_are_kept_unless_files_are_the_clips(tmp_path: Path) -> None:
    table = clips(("a", "/a.wav", [caption("dog")])).assign(start=1.5, end=2.5)
    row = read_manifest(prepared(table.copy(), tmp_path).manifest)[0]
    assert (row.start, row.end) == (1.5, 2.5)
    row = read_manifest(prepared(table.copy(), tmp_path, CORPORA["audioset"]).manifest)[0]
    assert (row.start, row.end) == (0.0, None)


def test_rare_classes_come_first_where_rows_per_class_are_limited(tmp_path: Path) -> None:
    table = clips(
        ("a", "/a.wav", [caption("dog")]),
        ("b", "/b.wav", [caption("dog"), caption("rain")]),
        ("c", "/c.wav", [caption("dog", "tuba")]),
    )
    result = prepared(table, tmp_path, max_per_class=1)
    assert [(row.id, row.caption) for row in read_manifest(result.manifest)] == [("b", "rain"), ("c", "dog and tuba")]
    assert rejects(result) == [("a", OVER), ("b", OVER)]
    assert result.classes == {"dog": ClassCount(1, 2), "rain": ClassCount(1), "tuba": ClassCount(1)}


def test_headers_are_checked_and_summarised(tmp_path: Path) -> None:
    for name, rate in (("a", 16000), ("b", 16000), ("c", 8000)):
        write_audio(tmp_path / f"{name}.wav", np.full((1, rate), 0.5, np.float32), rate)
    (tmp_path / "d.wav").write_text("<html>")
    table = clips(*((name, str(tmp_path / f"{name}.wav"), [caption("dog")]) for name in "abcd"))
    result = prepared(table, tmp_path, check="header")
    assert result.rejected == {"not audio": 1}
    assert (result.audio.hours, result.audio.sample_rates, result.audio.channels) == (
        0.0008,
        {16000: 2, 8000: 1},
        {1: 3},
    )


def test_copies_replace_the_files(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", np.full((1, 16000), 0.5, np.float32), 16000)
    (tmp_path / "b.wav").write_text("<html>")
    table = clips(*((name, str(tmp_path / f"{name}.wav"), [caption("dog")]) for name in "ab")).assign(end=0.5)
    result = prepared(table, tmp_path, convert="8k-mono-flac")
    row = read_manifest(result.manifest)[0]
    assert row.wav.parent.parent == tmp_path / "train-8k-mono-flac"
    assert (row.start, row.end) == (0.0, None)
    assert result.converted == {"made": 1, "found": 0, "turned_down": 0}
    assert result.rejected == {"not convertible": 1}


def test_captions_are_cleaned_and_the_changes_counted(tmp_path: Path) -> None:
    table = clips(*((name, f"/{name}.wav", [ClipCaption("a dog  dog barks")]) for name in "ab"))
    result = prepared(table, tmp_path, clean=True)
    assert {row.caption for row in read_manifest(result.manifest)} == {"A dog barks"}
    assert result.cleaned == {"a dog  dog barks -> A dog barks": 2}


def test_a_file_name_may_be_in_no_encoding_and_a_caption_not(tmp_path: Path) -> None:
    table = clips(("a", "/\udcff.wav", [caption("dog")]), ("b\udcff", "/ö.wav", [caption("d\udcffg")]))
    result = prepared(table, tmp_path)
    assert [(row.id, row.wav) for row in read_manifest(result.manifest)] == [("a", Path("/\udcff.wav"))]
    assert result.rejected == {"caption not UTF-8": 1}
    assert b"b\xff" in result.rejects.read_bytes()


def test_too_many_missing_clips_are_an_error_that_names_three(tmp_path: Path) -> None:
    table = clips(*((str(n), None, [caption("dog")]) for n in range(4)), fault="missing")
    message = r"4 of 4 clips are missing \(looked for 0, 1, 2 and 1 more in .*; also with other suffixes\); check"
    with pytest.raises(InputError, match=message):
        prepared(table, tmp_path, max_missing=0.5)
    assert not (tmp_path / "train.json").exists()


def test_no_usable_clip_is_an_error_that_counts_the_reasons(tmp_path: Path) -> None:
    table = clips(("a", "/a.wav", []), ("b", "/b.wav", []), fault="no caption")
    with pytest.raises(InputError, match=r"no usable clip among 2 clips \(no caption: 2\); check the table"):
        prepared(table, tmp_path)
    table["fault"] = "several labels"
    with pytest.raises(InputError, match="try --captions each or joined"):
        prepared(table, tmp_path)


def scored(table: pd.DataFrame, folder: Path, purities: list[float | None], **selection: Any) -> PrepareResult:
    chosen = ClipSelection(**{"check": "none", "max_missing": 1.0, **selection})
    return prepare(table, RANGES, folder / "train.json", chosen, [folder], purities=lambda *_: purities)


def test_clips_of_low_purity_are_rejected(tmp_path: Path) -> None:
    table = clips(*((name, f"/{name}.wav", [caption("dog")]) for name in "abcd"))
    result = scored(table, tmp_path, [0.4, 0.5, None, 1.0], min_purity=0.5)
    items = json.loads(result.manifest.read_text())["data"]
    assert [(item["id"], item["purity"], "sampling_weight" in item) for item in items] == [
        ("b", 0.5, False),
        ("d", 1.0, False),
    ]
    assert rejects(result) == [("a", "low purity"), ("c", "unreadable")]
    assert result.purity == PuritySummary(clips=3, mean=0.6333, below=1)


def test_purities_become_weights_where_asked_for(tmp_path: Path) -> None:
    table = clips(*((name, f"/{name}.wav", [caption("dog")]) for name in "ab"))
    result = scored(table, tmp_path, [0.4, 1.0], min_purity=0.0, purity=PuritySettings(weight=True))
    assert [row.weight for row in read_manifest(result.manifest)] == [0.4, 1.0]


def test_shares_and_a_last_process_write_the_manifest_of_one_process(tmp_path: Path) -> None:
    rows: list[tuple[str, str | None, Sequence[ClipCaption]]] = []
    for number in range(7):
        level = 0.0 if number == 3 else 0.5
        write_audio(tmp_path / f"{number}.wav", np.full((1, 8000), level, np.float32), 16000)
        rows.append((str(number), str(tmp_path / f"{number}.wav"), [caption("dog")]))
    (tmp_path / "alone").mkdir()
    (tmp_path / "shared").mkdir()
    selection = {"check": "decode", "limits": ClipLimits(max_clipped=1.0)}
    alone = prepared(clips(*rows), tmp_path / "alone", **selection)
    chosen = ClipSelection(max_missing=1.0, **selection)  # type: ignore[arg-type]

    def shared(share: tuple[int, int]) -> PrepareResult:
        return prepare(clips(*rows), RANGES, tmp_path / "shared" / "train.json", chosen, [tmp_path], share=share)

    parts = [shared((rank, 3)) for rank in range(3)]
    assert [(part.segments, part.complete) for part in parts] == [(3, False), (2, False), (2, False)]
    assert not parts[0].manifest.exists()
    whole = shared((0, 1))
    assert whole.manifest.read_bytes() == alone.manifest.read_bytes()
    assert (whole.rejected, whole.audio) == (alone.rejected, alone.audio) == ({"silent": 1}, alone.audio)
