"""What scripts read from ``--json`` is still there, under the same keys and of the same kinds."""

from __future__ import annotations

from typing import Any

import pytest
from frozen.json_keys import RUNS, lost_in_json, outputs, shape
from frozen.surface import FROZEN, read


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What every verb says as JSON."""
    return dict(outputs(FROZEN / "v0.1", tmp_path_factory.mktemp("files")))


@pytest.mark.parametrize("verb", RUNS)
def test_no_key_of_json_is_lost(verb: str, said: dict[str, Any]) -> None:
    if isinstance(said[verb], AssertionError):
        raise said[verb]
    assert list(lost_in_json(read("json_keys.json")[verb], shape(said[verb]), verb)) == []


def test_what_is_lost_is_found() -> None:
    frozen = shape({"written": {"a.wav": [{"path": "x", "score": 1.0}]}, "failed": {}, "n": 2})
    now = shape({"written": {"b.wav": [{"path": 3, "more": True}]}, "failed": {"b": "why"}})
    assert list(lost_in_json(frozen, now, "separate")) == [
        "separate.written.*[].path was text, is number",
        "separate.written.*[].score is gone",
        "separate.n is gone",
    ]
