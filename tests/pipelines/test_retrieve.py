"""``retrieve``: what may be asked for, and what is returned."""

from __future__ import annotations

from pathlib import Path

import pytest

from dplass_cli.errors import InputError
from dplass_cli.options.retrieve_options import RetrieveOptions
from dplass_cli.pipelines.retrieve import retrieve


def test_a_query_finds_the_sounds_that_it_describes(corpus: Path) -> None:
    result = retrieve(RetrieveOptions(data=corpus / "train.json", query=("a dog barking", "rain"), top=3, device="cpu"))
    captions = {query: [sound.captions for sound in sounds] for query, sounds in result.found.items()}
    assert captions == {"a dog barking": [("Bark",)] * 3, "rain": [("Rain",)] * 3}
    assert [sound.rank for sound in result.found["rain"]] == [1, 2, 3]
    assert result.failed == {}


def test_captions_are_only_evaluated_where_that_is_asked_for(corpus: Path) -> None:
    found = retrieve(RetrieveOptions(data=corpus / "train.json", query=("rain",), device="cpu"))
    measured = retrieve(RetrieveOptions(data=corpus / "train.json", evaluate=True, device="cpu"))
    assert found.evaluation is None
    assert measured.evaluation is not None
    assert (measured.evaluation.queries, measured.evaluation.sounds) == (6, 18)
    assert measured.found == {}


def test_neither_a_query_nor_an_evaluation_is_refused(corpus: Path) -> None:
    with pytest.raises(InputError, match="give a sentence to find sounds by, or --eval"):
        retrieve(RetrieveOptions(data=corpus / "train.json"))


def test_an_empty_query_is_refused(corpus: Path) -> None:
    with pytest.raises(InputError, match="a query is empty"):
        retrieve(RetrieveOptions(data=corpus / "train.json", query=("rain", " ")))
