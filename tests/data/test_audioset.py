"""The AudioSet lists and the search for their clips."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from dplass_cli.audio.files import write_audio
from dplass_cli.data.audioset import (
    Segment,
    clip_fault,
    clip_stems,
    index_clips,
    listed_files,
    read_class_labels,
    read_ids,
    read_name_map,
    read_segments,
    walk_folders,
)
from dplass_cli.errors import InputError

YTID_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
COMMENTS = (
    "# Segments csv created Sun Mar  5 10:54:31 2017",
    '# num_ytids=2, num_segs=2, "num_unique_labels=2',  # the quote must not swallow the lines below
    "# YTID, start_seconds, end_seconds, positive_labels",
)
SEGMENT = Segment("-0RWZT-miFs", 30.0, 40.0, ("/m/03v3yw", "/m/0k4j"))
TONE = (0.5 * np.sin(np.arange(1600) / 5)).astype(np.float32)[None]


def write(path: Path, *lines: str, end: str = "\n", bom: bool = False) -> Path:
    """Write lines with a line end of choice, byte for byte."""
    path.write_bytes((("\ufeff" if bom else "") + "".join(line + end for line in lines)).encode())
    return path


# Segment lists

MIDS = st.builds("/{}/{}".format, st.sampled_from("mtg"), st.text("abcxyz0123456789_", min_size=2, max_size=7))


def test_the_official_form_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv", *COMMENTS, '-0RWZT-miFs, 30.000, 40.000, "/m/03v3yw,/m/0k4j"')
    assert read_segments(path) == [SEGMENT]


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    start = draw(st.integers(0, 10**8))
    return Segment(
        draw(st.text(YTID_LETTERS, min_size=11, max_size=11)),
        start / 1000,
        (start + draw(st.integers(1, 10**5))) / 1000,
        tuple(draw(st.lists(MIDS, min_size=1, max_size=5))),
    )


@given(
    wanted=st.lists(segments(), max_size=20),
    comma=st.sampled_from([",", ", ", ",   ", " , "]),
    quote=st.sampled_from(['"', '" ', '"   ']),
    end=st.sampled_from(["\n", "\r\n", "\n\n", "\n   \n"]),
    bom=st.booleans(),
    comments=st.sampled_from([(), COMMENTS]),
)
@settings(deadline=None)  # a busy disk is no failure
def test_any_written_segments_are_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    wanted: list[Segment],
    comma: str,
    quote: str,
    end: str,
    bom: bool,
    comments: tuple[str, ...],
) -> None:
    lines = [
        f'{s.ytid}{comma}{s.start:.3f}{comma}{s.end:.3f}{comma.rstrip(" ")} "{",".join(s.mids)}{quote}' for s in wanted
    ]
    path = write(tmp_path_factory.getbasetemp() / "written.csv", *comments, *lines, end=end, bom=bom)
    assert read_segments(path) == wanted


@given(content=st.binary(max_size=200) | st.text('ab,"#\n\r 0.1-\x00', max_size=60).map(str.encode))
@settings(deadline=None)  # a busy disk is no failure
def test_any_bytes_are_read_or_refused_by_name(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "arbitrary.csv"
    path.write_bytes(content)
    try:
        assert all(s.ytid and s.mids and s.start < s.end for s in read_segments(path))
    except InputError as error:
        assert str(path) in str(error)  # noqa: PT017 (either way is right)


@pytest.mark.parametrize(
    "line",
    [
        "abc",
        "abc, 0.0, 10.0",
        "abc, 0.0, 10.0, /m/a,/m/b",
        'abc, 0.0, 10.0, "/m/a", train',
        'abc, zero, 10.0, "/m/a"',
        'abc, 10.0, 10.0, "/m/a"',
        'abc, 10.0, 5.0, "/m/a"',
        'abc, -1.0, 5.0, "/m/a"',
        'abc, 0.0, nan, "/m/a"',
        'abc, 0.0, inf, "/m/a"',
        'abc, 0.0, 10.0, ""',
        'abc, 0.0, 10.0, " , "',
        ', 0.0, 10.0, "/m/a"',
        "YTID, start_seconds, end_seconds, positive_labels",
    ],
)
def test_a_malformed_line_is_refused_with_file_line_and_form(tmp_path: Path, line: str) -> None:
    path = write(tmp_path / "s.csv", *COMMENTS, 'ok, 0.0, 10.0, "/m/a"', "", line, 'ok2, 0.0, 10.0, "/m/a"')
    with pytest.raises(InputError, match=r"s\.csv: line 6: expected YTID, start_seconds, end_seconds"):
        read_segments(path)


@pytest.mark.parametrize("rows_after", [1, 20_000])  # fewer and more than fit into one field of the csv module
def test_an_open_quote_is_refused_at_its_line(tmp_path: Path, rows_after: int) -> None:
    line = 'abc, 0.0, 10.0, "/m/a'
    path = write(tmp_path / "s.csv", line + '"', line, *["abc, 0.0, 10.0, /m/a"] * rows_after)
    with pytest.raises(InputError, match=r"s\.csv: line 2: "):
        read_segments(path)


def test_unreadable_lists_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.csv: no such file"):
        read_segments(tmp_path / "absent.csv")
    with pytest.raises(InputError, match="is a folder"):
        read_segments(tmp_path)
    (tmp_path / "latin.csv").write_bytes(b'abc, 0.0, 10.0, "/m/\xe4"\n')
    with pytest.raises(InputError, match=r"latin\.csv: not UTF-8"):
        read_segments(tmp_path / "latin.csv")


@pytest.mark.slow
def test_two_million_segments_are_read_in_well_under_a_minute(tmp_path: Path) -> None:
    rows = (
        f'{number:011d}, {number % 600}.000, {number % 600 + 10}.000, "/m/09x0r,/m/05zppz"'
        for number in range(2 * 10**6)
    )
    path = write(tmp_path / "s.csv", *COMMENTS, *rows)
    began = time.monotonic()
    assert len(read_segments(path)) == 2 * 10**6
    assert time.monotonic() - began < 60


# Tables


def test_class_labels_keep_commas_and_quotes(tmp_path: Path) -> None:
    path = write(
        tmp_path / "l.csv",
        "index,mid,display_name",
        '0,/m/09x0r,"Speech"',
        '1,/m/05zppz,"Male speech, man speaking"',
        '2,/m/x,"The ""Amen"" break"',
        end="\r\n",
        bom=True,
    )
    assert read_class_labels(path) == {
        "/m/09x0r": "Speech",
        "/m/05zppz": "Male speech, man speaking",
        "/m/x": 'The "Amen" break',
    }


def test_the_official_class_list_is_read(real_data: Path) -> None:
    names = read_class_labels(real_data / "audioset_mini" / "class_labels_indices.csv")
    assert len(names) == 527
    assert names["/m/05tny_"] == "Bark"
    assert names["/m/05zppz"] == "Male speech, man speaking"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "columns mid and display_name"),
        (["0,/m/a,A"], "columns mid and display_name"),
        (["index,mid,display_name", "0,/m/a,A", "1,/m/b,B, unquoted"], "line 3: expected 3 fields, not 4"),
        (["index,mid,display_name", "0,/m/a,"], "line 2: mid or display_name is empty"),
        (["index,mid,display_name", "0,/m/a,A", "1,/m/a,B"], "line 3: mid '/m/a' is listed twice"),
    ],
)
def test_a_wrong_class_list_is_refused(tmp_path: Path, lines: list[str], message: str) -> None:
    path = write(tmp_path / "l.csv", *lines)
    with pytest.raises(InputError, match=message) as caught:
        read_class_labels(path)
    assert str(path) in str(caught.value)


def test_a_name_map_is_read_by_its_header(tmp_path: Path) -> None:
    path = write(tmp_path / "m.csv", "filename,ytid", "a.wav,-abc", '"b, c.wav",def')
    assert read_name_map(path) == {"-abc": "a.wav", "def": "b, c.wav"}


def test_ids_are_one_a_line(tmp_path: Path) -> None:
    assert read_ids(write(tmp_path / "ids.txt", "-abc", "", " def ", "-abc", end="\r\n", bom=True)) == {"-abc", "def"}
    with pytest.raises(InputError, match="holds no ids"):
        read_ids(write(tmp_path / "none.txt", "", "  "))


# Finding clips


@pytest.mark.parametrize(
    "name",
    [
        "-0RWZT-miFs.wav",
        "-0RWZT-miFs.WAV",
        "-0RWZT-miFs.flac",
        "-0RWZT-miFs.ogg",
        "-0RWZT-miFs.mp3",
        "Y-0RWZT-miFs.wav",
        "-0RWZT-miFs_30.000_40.000.wav",
        "-0RWZT-miFs_30.0_40.0.wav",
        "-0RWZT-miFs_30000_40000.wav",
        "-0RWZT-miFs_30_40.wav",
        "-0RWZT-miFs_30.000.wav",
        "-0RWZT-miFs_30000.wav",
        "-0RWZT-miFs_30.wav",
        "Y-0RWZT-miFs_30.000_40.000.mp3",
    ],
)
def test_a_clip_is_found_under_each_usual_name(name: str) -> None:
    path = f"/clips/part 1/{name}"
    assert index_clips([path]).find(SEGMENT) == Path(path)


@pytest.mark.parametrize(
    "name",
    [
        "-0RWZT-miFs.txt",
        "-0RWZT-miFs.wav.part",
        "-0rwzt-mifs.wav",
        "-0RWZT-miFs_20_30.wav",
        "0RWZT-miFs.wav",
        "-0RWZT-miFs",
    ],
)
def test_a_clip_is_not_found_under_another_name(name: str) -> None:
    assert index_clips([f"/clips/{name}"]).find(SEGMENT) is None


@given(segment=segments())
def test_names_of_a_segment_are_distinct_and_end_with_the_bare_id(segment: Segment) -> None:
    stems = list(clip_stems(segment))
    assert len(stems) == len(set(stems))
    assert stems[-2:] == [segment.ytid, f"Y{segment.ytid}"]
    assert f"{segment.ytid}_{segment.start:.3f}_{segment.end:.3f}" in stems


def test_the_most_telling_name_wins() -> None:
    index = index_clips(["/whole/-0RWZT-miFs.wav", "/cut/-0RWZT-miFs_30.000_40.000.wav"])
    assert index.find(SEGMENT) == Path("/cut/-0RWZT-miFs_30.000_40.000.wav")


def test_a_mapped_name_wins_over_the_usual_ones_and_may_have_any_suffix() -> None:
    files = ["/clips/-0RWZT-miFs.wav", "/clips/dog.aiff"]
    assert index_clips(files, {SEGMENT.ytid: "somewhere/dog.aiff"}).find(SEGMENT) == Path("/clips/dog.aiff")
    assert index_clips(files, {SEGMENT.ytid: "cat.aiff"}).find(SEGMENT) == Path("/clips/-0RWZT-miFs.wav")


def test_folders_are_walked_in_order_once_and_through_links(tmp_path: Path) -> None:
    for name in ("b/y.wav", "b/x.wav", "a/deep/x.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "a" / "linked").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "loop").symlink_to(tmp_path / "b")
    found = [os.path.relpath(path, tmp_path) for path in walk_folders([tmp_path / "b", tmp_path / "a", tmp_path / "b"])]
    assert found == ["b/x.wav", "b/y.wav", "a/deep/x.wav"]
    assert [os.path.relpath(path, tmp_path) for path in walk_folders([tmp_path / "a"])] == [
        "a/deep/x.wav",
        "a/linked/x.wav",
        "a/linked/y.wav",
    ]
    assert index_clips(walk_folders([tmp_path / "b", tmp_path / "a"])).by_stem["x"] == str(tmp_path / "b" / "x.wav")


def test_a_missing_folder_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="absent: cannot read this folder"):
        list(walk_folders([tmp_path / "absent"]))


def test_listed_paths_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("audio/in folder.wav", "lists/beside.wav", "work/here.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path / "work")
    names = ["/abs/x.wav", "in folder.wav", "", "beside.wav", "here.wav", "nowhere.wav"]
    path = write(tmp_path / "lists" / "files.txt", *names, end="\r\n")
    assert list(listed_files(path, [tmp_path / "audio"])) == [
        "/abs/x.wav",
        str(tmp_path / "audio" / "in folder.wav"),
        str(tmp_path / "lists" / "beside.wav"),
        "here.wav",
        str(tmp_path / "audio" / "nowhere.wav"),
    ]


# Faults of clips


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    path = tmp_path / "tone.wav"
    write_audio(path, TONE, 16000)
    return path


def test_a_good_clip_has_no_fault(tone: Path) -> None:
    assert [clip_fault(tone, check) for check in ("none", "header", "decode")] == [None, None, None]


def test_a_header_check_finds_what_is_no_audio_file(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "page.wav").write_text("<html>video unavailable</html>")
    soundfile.write(tmp_path / "headed.wav", np.zeros(0, np.float32), 16000)
    (tmp_path / "folder.wav").mkdir()
    faults = {
        "empty.wav": "zero-length file",
        "page.wav": "not audio",
        "headed.wav": "zero-length file",
        "folder.wav": "missing",
        "absent.wav": "missing",
    }
    for name, fault in faults.items():
        assert clip_fault(tmp_path / name, "header") == clip_fault(tmp_path / name, "decode") == fault
        assert clip_fault(tmp_path / name, "none") is None


def test_silence_is_found_by_decoding(tmp_path: Path) -> None:
    write_audio(tmp_path / "silent.wav", np.zeros((2, 1600), np.float32), 16000)
    for position in (0, -1):  # in the first and in the last of two blocks
        almost = np.zeros((2, 300_000), np.float32)
        almost[1, position] = 1e-6
        write_audio(tmp_path / "almost.wav", almost, 16000)
        assert clip_fault(tmp_path / "almost.wav", "decode") is None
    assert clip_fault(tmp_path / "silent.wav", "header") is None
    assert clip_fault(tmp_path / "silent.wav", "decode") == "silent"


def test_samples_that_are_no_numbers_are_found_by_decoding(tmp_path: Path) -> None:
    audio = TONE.copy()
    audio[0, 100] = np.nan
    write_audio(tmp_path / "nan.wav", audio, 16000)
    assert clip_fault(tmp_path / "nan.wav", "decode") == "not audio"


@pytest.mark.parametrize(("suffix", "subtype"), [("flac", "PCM_16"), ("mp3", "MPEG_LAYER_III")])
def test_a_truncated_clip_is_found_by_decoding(tmp_path: Path, suffix: str, subtype: str) -> None:
    path = tmp_path / f"cut.{suffix}"
    noise = 0.1 * np.random.default_rng(0).standard_normal((1, 32000), dtype=np.float32)
    write_audio(path, noise, 16000, subtype)
    assert clip_fault(path, "decode") is None
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert clip_fault(path, "header") is None
    assert clip_fault(path, "decode") == "truncated"
