"""The AudioSet lists."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dplass_cli.data.prepare.audioset_lists import Segment, read_class_labels, read_ids, read_segments
from dplass_cli.data.prepare.corpus_tables import read_pairs
from dplass_cli.errors import InputError

YTID_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
COMMENTS = (
    "# Segments csv created Sun Mar  5 10:54:31 2017",
    '# num_ytids=2, num_segs=2, "num_unique_labels=2',  # the quote must not swallow the lines below
    "# YTID, start_seconds, end_seconds, positive_labels",
)
SEGMENT = Segment("-0RWZT-miFs", 30.0, 40.0, ("/m/03v3yw", "/m/0k4j"))


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
def test_any_bytes_are_read_or_refused_with_the_file_name(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
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


def test_unreadable_lists_are_refused_with_their_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.csv: no such file"):
        read_segments(tmp_path / "absent.csv")
    with pytest.raises(InputError, match="is a folder"):
        read_segments(tmp_path)
    (tmp_path / "latin.csv").write_bytes(b'abc, 0.0, 10.0, "/m/\xe4"\n')
    with pytest.raises(InputError, match=r"latin\.csv: line 1: not UTF-8"):
        read_segments(tmp_path / "latin.csv")


# Strong labels

STRONG_HEADER = "segment_id\tstart_time_seconds\tend_time_seconds\tlabel"


@pytest.mark.parametrize("header", [(), (STRONG_HEADER,)])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_events_of_a_clip_become_one_segment(tmp_path: Path, header: tuple[str, ...], end: str) -> None:
    path = write(
        tmp_path / "s.tsv",
        *header,
        "s9d-2nhuJCQ_30000\t2.627\t7.237\t/m/053hz1",
        "-_b_0\t0.000\t10.000\t/m/b",
        "s9d-2nhuJCQ_30000\t0.000\t1.000\t/t/dd00",
        "s9d-2nhuJCQ_30000\t8.000\t9.000\t/m/053hz1",
        "s9d-2nhuJCQ_40500\t8.000\t9.000\t/m/c",
        end=end,
    )
    assert read_segments(path) == [
        Segment("s9d-2nhuJCQ", 30.0, 40.0, ("/t/dd00", "/m/053hz1")),
        Segment("-_b", 0.0, 10.0, ("/m/b",)),
        Segment("s9d-2nhuJCQ", 40.5, 50.5, ("/m/c",)),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "a_0\t0.0\t1.0",
        "a\t0.0\t1.0\t/m/a",
        "_0\t0.0\t1.0\t/m/a",
        "a_x\t0.0\t1.0\t/m/a",
        "a_-5\t0.0\t1.0\t/m/a",
        "a_0\t1.0\t1.0\t/m/a",
        "a_0\t0.0\tinf\t/m/a",
        "a_0\t0.0\t1.0\t ",
        "a_0, 0.0, 1.0, /m/a",
        STRONG_HEADER,
    ],
)
def test_a_malformed_event_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    path = write(tmp_path / "s.tsv", STRONG_HEADER, "ok_0\t0.0\t1.0\t/m/a", line)
    with pytest.raises(InputError, match=r"s\.tsv: line 3: expected ytid_milliseconds"):
        read_segments(path)


def test_names_of_strong_labels_are_read(tmp_path: Path) -> None:
    path = write(
        tmp_path / "names.tsv",
        '/m/a\tThe "Amen" break',
        "/m/b\tMale speech, man speaking",
        "/m/b\tMale speech, man speaking",
    )
    assert read_class_labels(path) == {"/m/a": 'The "Amen" break', "/m/b": "Male speech, man speaking"}
    for line, message in (("/m/c", "expected a machine id, a tab"), ("/m/a\tOther", "listed twice")):
        with pytest.raises(InputError, match=rf"names\.tsv: line 2: .*{message}"):
            read_class_labels(write(path, "/m/a\tA", line))


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
    assert read_pairs(path, ["YTID"], ["filename"]) == {"-abc": "a.wav", "def": "b, c.wav"}


def test_ids_are_read_one_per_line(tmp_path: Path) -> None:
    assert read_ids(write(tmp_path / "ids.txt", "-abc", "", " def ", "-abc", end="\r\n", bom=True)) == {"-abc", "def"}
    with pytest.raises(InputError, match="no ids in it"):
        read_ids(write(tmp_path / "none.txt", "", "  "))
