"""Every reader on the seed corpus, on inputs that once failed, and on mutations of both by hypothesis.

``python tests/fuzz/run.py`` fuzzes with coverage feedback for any length of time; docs/reliability.md has its results.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

pytest.importorskip("resource", reason="needs the module resource and timers, which Windows lacks")

from fuzz.harness import Finding, Target, attempt, sandbox
from fuzz.targets import TARGETS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TOKENS = [
    *(b"\x00", b"\xff", b"\n", b"\r", b'"', b",", b"\t", b"..", b"/", b"{", b"[", b"}", b"]", b"null", b"nan", b"inf"),
    *(
        b"-1",
        b"0",
        b"1e999",
        b"9" * 400,
        b"9" * 5000,
        b"a" * 300,
        b"[" * 5000,
        b"\\ud800",
        b"\xef\xbb\xbf",
        b"\xc3\x28",
    ),
    *(b"%00", b"\x1b[2J", "\u2028".encode(), b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"../../etc/passwd", b"&a "),
    *(b"*a", b"!!int "),
]
EXAMPLES = {"weights": 15, "pickled": 25, "bank": 15, "audio": 25, "ffmpeg": 15, "sentences": 20, "cache": 20}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with sandbox() as place:
        yield place


@cache
def seeds(target: str) -> list[bytes]:
    return [path.read_bytes() for path in TARGETS[target].seeds]


@st.composite
def mutated(draw: st.DrawFn, target: str) -> bytes:
    """A seed in which a few ranges are removed, doubled or replaced."""
    data = draw(st.sampled_from([*seeds(target), b""]))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        end = min(len(data), at + draw(st.sampled_from([0, 1, 1, 2, 4, 30, 1000])))
        replacement = draw(
            st.one_of(st.just(b""), st.sampled_from(TOKENS), st.binary(max_size=4), st.just(2 * data[at:end]))
        )
        data = data[:at] + replacement + data[end:]
    return data[: draw(st.sampled_from([1 << 20, 1 << 20, 1 << 20, len(data) // 2]))]


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_seeds_and_past_failures_break_no_rule(target: Target, folder: Path) -> None:
    assert target.seeds
    findings = {path: attempt(target, path.read_bytes(), folder) for path in target.seeds}
    assert {path: str(finding) for path, finding in findings.items() if finding is not None} == {}


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_mutated_inputs_are_read_or_refused_in_one_line(target: Target, folder: Path) -> None:
    @settings(
        max_examples=EXAMPLES.get(target.name, 60),
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(mutated(target.name))
    def holds(data: bytes) -> None:
        finding = attempt(target, data, folder)
        assert finding is None, str(finding)

    holds()


class _MakesFolder:
    """Unpickles by creating a folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> object:
        return os.mkdir, (str(self._path),)


def _broken(data: bytes, folder: Path) -> None:
    what = data.decode()
    if what == "error":
        raise KeyError("no")
    if what == "hang":
        while True:
            pass
    if what == "memory":
        bytearray(3 << 30)
    if what == "outside":
        (folder.parent / "dplass-outside").mkdir()
    if what == "code":
        try:
            pickle.loads(pickle.dumps(_MakesFolder(folder.parent / "dplass-outside")))
        except Exception:
            return
    if what == "program":
        os.system("true")


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("error", "KeyError"),
        ("hang", "Hang"),
        ("memory", "MemoryError"),
        ("outside", "forbidden"),
        ("code", "forbidden"),
        ("program", "forbidden"),
        ("", None),
    ],
)
def test_broken_rules_are_found(what: str, kind: str | None, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fuzz.harness.SECONDS", 0.2)
    finding = attempt(Target("broken", _broken), what.encode(), folder)
    if what in ("outside", "code"):  # the audit hook reports, but does not prevent
        (folder / "dplass-outside").rmdir()
    assert (finding.kind if isinstance(finding, Finding) else None) == kind
