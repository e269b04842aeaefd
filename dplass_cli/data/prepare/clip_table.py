"""The table that preparation works on: one row per clip, with its file, its captions and why it cannot be used.

Columns:
    id: the clip's name in its corpus (str).
    path: absolute path of its file (str); None where there is none.
    texts: its captions (tuple of :class:`~dplass_cli.data.captions.ClipCaption`).
    fault: why it cannot be used (str); None while it can.
    start: seconds (float64); of the video for corpora of videos, else in the file.
    end: likewise; NaN means the end of the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

import pandas as pd

from dplass_cli.data.captions import ClipCaption, LabelCaptions
from dplass_cli.data.csv_tables import MAX_SECONDS, collector_paused
from dplass_cli.data.prepare.corpora import Corpus
from dplass_cli.data.prepare.corpus_reader import LIST_FOLDER, column_texts, stem
from dplass_cli.data.prepare.locating import ClipIndex
from dplass_cli.errors import InputError
from dplass_cli.file_names import is_text
from dplass_cli.options.prepare_options import Captions

Texts = tuple[ClipCaption, ...]

MISSING = "missing"


@collector_paused()
def clip_table(
    records: pd.DataFrame,
    corpus: Corpus,
    index: ClipIndex | None,
    label_captions: LabelCaptions | None = None,
    written: Mapping[str, tuple[str, ...]] | None = None,
    where: str = "",
) -> pd.DataFrame:
    """Make the clip table of a corpus' records, in their order.

    Records with the same id, file and range are one clip with several captions, or duplicates where ids are unique.

    Args:
        records: as :func:`~dplass_cli.data.prepare.corpus_reader.read_records` returns them.
        corpus: their corpus.
        index: None where the records are the files, in a column ``file``.
        label_captions: None where the caption columns are the captions.
        written: {id: captions}, which replace those made of labels.
        where: the list, for error messages.

    Raises:
        InputError: a record has no id, or a time that is not a number.
    """
    start, end = _times(records, corpus, where)
    ids = _ids(records, corpus, where)
    clips = pd.DataFrame({"id": ids, "path": None, "texts": None, "fault": None, "start": start, "end": end})
    clips["path"] = pd.Series(_paths(records, corpus, index, clips), index=clips.index, dtype=object)
    if label_captions is None:
        clips["texts"] = pd.Series(_column_captions(records, corpus), index=clips.index, dtype=object)
    else:
        pairs = [label_captions(labels) for labels in _label_sets(records, corpus)]
        if written is not None:
            captions = [written.get(id, ()) for id in ids]
            pairs = [_with_written(*pair, said) for pair, said in zip(pairs, captions, strict=True)]
        clips["texts"] = pd.Series([texts for texts, _ in pairs], index=clips.index, dtype=object)
        clips["fault"] = pd.Series([fault for _, fault in pairs], index=clips.index, dtype=object)
        if corpus.labels in records and corpus.captions and corpus.captions[0] in records:
            columns = (column_texts(records, column) for column in (corpus.labels, corpus.captions[0]))
            unequal = [len(_split(mids)) != len(_split(names)) for mids, names in zip(*columns, strict=True)]
            clips.loc[unequal, "fault"] = "labels and names differ in number"
    if not corpus.unique_ids:
        clips = _merge_records(clips, merge_texts=label_captions is None)
    if label_captions is None:
        clips.loc[~clips["texts"].astype(bool), "fault"] = "no caption"
    clips.loc[clips["path"].isna(), "fault"] = MISSING
    if corpus.unique_ids:
        clips.loc[clips["id"].duplicated(), "fault"] = "duplicate id"
    clips.index = pd.RangeIndex(len(clips))
    return clips


def _merge_records(clips: pd.DataFrame, merge_texts: bool) -> pd.DataFrame:
    """Make one row of the records of a clip: with all their captions, or with the first record's."""
    names = [_for_grouping(clips["id"]), _for_grouping(clips["path"])]
    groups = clips.groupby([*names, "start", "end"], sort=False, dropna=False)
    first = groups.cumcount() == 0
    if first.all():
        return clips
    merged = clips[first].reset_index(drop=True)
    if merge_texts:
        together = groups["texts"].agg(lambda parts: tuple(dict.fromkeys(chain.from_iterable(parts))))
        merged["texts"] = together.reset_index(drop=True)
    return merged


def _for_grouping(names: pd.Series[str]) -> pd.Series[str]:
    """The names, or escapes of them: pandas takes all strings that are not UTF-8 for the same one."""
    return names if all(name is None or is_text(name) for name in names) else names.map(ascii)


def _ids(records: pd.DataFrame, corpus: Corpus, where: str) -> pd.Series[str]:
    ids = column_texts(records, corpus.id)
    if corpus.name and (ids == "").any():
        ids = ids.where(ids != "", column_texts(records, corpus.name).map(stem))
    for at in records.index[ids == ""]:
        raise InputError(f"{where}: {_row(records, at)}: no {corpus.id or corpus.name!r}")
    return ids


def _paths(records: pd.DataFrame, corpus: Corpus, index: ClipIndex | None, clips: pd.DataFrame) -> list[str | None]:
    if index is None:
        return list(records["file"])
    if corpus.video:
        ends = clips["end"].fillna(clips["start"])
        return list(map(index.by_id, clips["id"], clips["start"], ends))
    names, folders = column_texts(records, corpus.name), column_texts(records, LIST_FOLDER)
    return [
        name if name.startswith("/") else index.by_name(name, folder) if name else None
        for name, folder in zip(names, folders, strict=True)
    ]


def _times(records: pd.DataFrame, corpus: Corpus, where: str) -> tuple[pd.Series[float], pd.Series[float]]:
    start, end = (_seconds(records, column, where) for column in (corpus.start, corpus.end))
    start = start.fillna(0.0)
    if corpus.seconds is not None:
        end = end.fillna(start + corpus.seconds)
    for at in records.index[end <= start]:
        expected = "start and end must be seconds with 0 <= start < end"
        raise InputError(f"{where}: {_row(records, at)}: {expected}, not {start[at]} and {end[at]}")
    return start, end


def _seconds(records: pd.DataFrame, column: str, where: str) -> pd.Series[float]:
    """Return a column as numbers: NaN where it is empty or there is no such column."""
    if column in records and records[column].dtype == float:
        return records[column]
    texts = column_texts(records, column)
    values = pd.to_numeric(texts, errors="coerce").astype(float)
    for at in records.index[(texts != "") & ~values.between(0, MAX_SECONDS, inclusive="left")]:
        raise InputError(f"{where}: {_row(records, at)}: {column}: expected seconds, not {texts[at]!r}")
    return values


def _row(records: pd.DataFrame, at: int) -> str:
    """Name a record: by its line in a CSV file, else by its position."""
    return f"line {at}" if records.index.name == "line" else f"record {at + 1}"


def column_label_captions(records: pd.DataFrame, corpus: Corpus, form: Captions) -> LabelCaptions | None:
    """Return the captions of clips with several classes, whose names are in the records next to their machine ids."""
    if corpus.sentences or not corpus.labels:
        return None
    names: dict[str, str] = {}
    columns = (column_texts(records, column) for column in (corpus.labels, corpus.captions[0]))
    for mids, classes in zip(*columns, strict=True):
        if len(labels := _split(mids)) == len(named := _split(classes)):  # others are rejected by clip_table
            names.update(zip(labels, map(words, named), strict=True))
    return LabelCaptions(names, form)


def _label_sets(records: pd.DataFrame, corpus: Corpus) -> Iterable[tuple[str, ...]]:
    if corpus.labels in records and isinstance(records[corpus.labels].iloc[0], tuple):  # of AudioSet's segments
        return list(records[corpus.labels])
    return (tuple(_split(text)) for text in column_texts(records, corpus.labels))


def _with_written(texts: Texts, fault: str | None, captions: tuple[str, ...]) -> tuple[Texts, str | None]:
    """Replace the captions of a clip by written ones. Its labels are kept, and may be unknown."""
    fault = None if fault == "unknown label" else fault
    if not captions:
        return texts, fault or "no caption"
    labels, classes = (texts[0].labels, texts[0].classes) if texts else ((), ())
    return tuple(ClipCaption(caption, labels, classes) for caption in captions), fault


def _column_captions(records: pd.DataFrame, corpus: Corpus) -> list[Texts]:
    """Return the captions of each record, from its caption columns."""
    columns = [records[column] for column in corpus.captions if column in records]
    labels = column_texts(records, corpus.labels)
    return [
        tuple(_captions_of(values, tuple(_split(mids)), corpus)) for mids, *values in zip(labels, *columns, strict=True)
    ]


def _captions_of(values: list[object], labels: tuple[str, ...], corpus: Corpus) -> Iterator[ClipCaption]:
    for value in values:
        for part in value if isinstance(value, list) else [value]:
            caption = "" if part is None or part != part else str(part).strip()  # NaN: the JSON object has no such key
            if corpus.caption_of:
                caption = corpus.caption_of.get(caption, "")
            elif not corpus.sentences:
                caption = words(caption)
            if caption:
                yield ClipCaption(caption, labels, () if corpus.sentences else (caption,))


def words(name: str) -> str:
    """Return the name of a class as words: ``door_wood_knock`` -> ``door wood knock``."""
    return " ".join(name.replace("_", " ").split())


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
