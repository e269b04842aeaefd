"""What may be asked for: a sentence, an example of the sound, where it occurs, what is to be kept out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from dplass_cli.audio.folders import audio_files
from dplass_cli.audio.reading import read_mono
from dplass_cli.encoders import QueryEncoder
from dplass_cli.errors import InputError

SPAN_WEIGHT = 0.25
"""The share of the recording's spans in a condition, beside the sentence's or the example's; docs/separate.md."""

OUTSIDE_WEIGHT = 0.6
"""How much of what is heard around the spans is taken off what is heard in them; docs/separate.md."""

UNSAID = "\0"
"""Begins names of sources that are no query's: no sentence holds it."""

_AROUND_SECONDS = 10.0  # how far around a span the recording is listened to
_SPAN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*-\s*(\d+(?:\.\d+)?)\s*")

Span = tuple[float, float]
Excerpt = Callable[[float, float], Tensor]
"""Reads [start, end) seconds of the recording: mono float32 (T,) at the encoder's rate; empty beyond its ends."""


@dataclass(frozen=True)
class Query:
    """What one target is to be: by a sentence or by an example, or everything but something.

    Attributes:
        text: a sentence.
        like: a recording of such a sound, or a folder of several, in place of a sentence.
        spans: seconds (start, end) at which the target occurs in the recording; alone or beside text or like.
        without: sentences about what is to be kept out. Alone: the recording less all of it.
    """

    text: str = ""
    like: Path | None = None
    spans: tuple[Span, ...] = ()
    without: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What the target is called: the sentence, the example's name, the times, or what it is without."""
        if self.text or not (self.like or self.spans or self.without):
            return self.text
        if self.like:
            return self.like.name if self.like.is_dir() else self.like.stem
        if self.spans:
            return "at " + " and ".join(f"{start:g}-{end:g} s" for start, end in self.spans)
        return "without " + " and ".join(self.without)

    @property
    def is_rest(self) -> bool:
        """Whether it asks for everything but something."""
        return not (self.text or self.like or self.spans)

    def check(self) -> None:
        """Refuse what can't be asked for.

        Raises:
            InputError: empty sentences, a sentence and an example at once, spans that end before they begin.
        """
        if (self.is_rest and not self.without) or (self.text and not self.text.strip()):
            raise InputError("--query is empty; describe the sound, such as 'a dog barking'")
        if any(UNSAID in text for text in (self.text, *self.without)):
            raise InputError(f"{self.name!r}: holds a null character; take it out")
        if not all(text.strip() for text in self.without):
            raise InputError("--not is empty; describe what is to be kept out, such as 'wind'")
        if self.text and self.like:
            raise InputError(f"{self.text!r} and {self.like}: a target is of a sentence or of an example, not of both")
        if self.text in self.without:
            raise InputError(f"--not {self.text!r}: is what --query asks for")
        for start, end in self.spans:
            if not 0.0 <= start < end:
                raise InputError(f"--spans {start:g}-{end:g}: must be seconds, the start before the end")


def parse_spans(text: str) -> tuple[Span, ...]:
    """Read spans such as ``3.2-4.0,6-7``, in seconds.

    Raises:
        InputError: something else.
    """
    spans = [_SPAN.fullmatch(part) for part in text.split(",")]
    if not all(spans):
        raise InputError(f"--spans {text}: expected seconds such as 3.2-4.0 or 3.2-4.0,6-7")
    return tuple((float(span[1]), float(span[2])) for span in spans if span)


def named(queries: Iterable[str | Query]) -> dict[str, Query]:
    """The distinct queries by their names; a name that is taken gets a number.

    Raises:
        InputError: there are none, or one that can't be asked for.
    """
    distinct = dict.fromkeys(Query(query) if isinstance(query, str) else query for query in queries)
    if not distinct:
        raise InputError("no query is given; describe the sound with --query")
    by_name: dict[str, Query] = {}
    for query in distinct:
        query.check()
        name, count = query.name, 2
        while name in by_name:
            name, count = f"{query.name} ({count})", count + 1
        by_name[name] = query
    return by_name


@dataclass(frozen=True)
class Target:
    """One output.

    Attributes:
        source: its name among the sources; None: what the rivals leave.
        rivals: the sources that it shares sound with, itself among them.
        rest: the source that is all but it, by which it is contrasted (:mod:`dplass_cli.separation.refinement`).
    """

    source: str | None
    rivals: tuple[str, ...]
    rest: str | None = None


@dataclass(frozen=True)
class Plan:
    """What is separated, and what comes out.

    Attributes:
        conditions: {source: embedding (D,)} of all that the network is asked for: queries and what they are without.
        targets: {name of a query: its target}.
    """

    conditions: Mapping[str, Tensor]
    targets: Mapping[str, Target]


def plan(queries: Mapping[str, Query], encoder: QueryEncoder, excerpt: Excerpt, consistent: bool) -> Plan:
    """Embed queries and say how their targets share the recording.

    Args:
        queries: {name: query}. excerpt: of the recording.
        consistent: all targets compete for the recording; else each with what it is to be without.

    Raises:
        InputError: an example can't be read, or the recording has nothing at the spans.
    """

    def kept_out(query: Query) -> list[str]:
        """The names of what a query is without: sentences, other than what a query of such a name asks for."""
        return [text if queries.get(text, Query(text)) == Query(text) else UNSAID + text for text in query.without]

    conditions = {n: condition(query, encoder, excerpt) for n, query in queries.items() if not query.is_rest}
    for query in queries.values():
        if query.without:
            conditions |= dict(zip(kept_out(query), encoder.embed_text(query.without), strict=True))
    asked = [name for name, query in queries.items() if not query.is_rest] if consistent else []

    def target(name: str, query: Query) -> Target:
        if query.is_rest:
            return Target(None, tuple(dict.fromkeys(kept_out(query))))
        return Target(name, tuple(dict.fromkeys((name, *asked, *kept_out(query)))))

    return Plan(conditions, {name: target(name, query) for name, query in queries.items()})


def condition(query: Query, encoder: QueryEncoder, excerpt: Excerpt) -> Tensor:
    """The embedding that a query conditions the network by: float32 (D,), unit norm.

    Beside a sentence or an example, spans turn it towards what is heard in them and not around them.

    Raises:
        InputError: an example can't be read, or the recording has nothing at the spans.
    """
    said = encoder.embed_text([query.text])[0] if query.text else _examples(query.like, encoder) if query.like else None
    if not query.spans:
        assert said is not None
        return said
    heard = _heard_in(query.spans, encoder, excerpt)
    return heard if said is None else F.normalize((1.0 - SPAN_WEIGHT) * said + SPAN_WEIGHT * heard, dim=-1)


def _examples(like: Path, encoder: QueryEncoder) -> Tensor:
    files = audio_files(like) if like.is_dir() else (like,)
    sounds = [torch.from_numpy(read_mono(file, encoder.sample_rate)) for file in files]
    return F.normalize(encoder.embed_audio(sounds, encoder.sample_rate).mean(dim=0), dim=-1)


def _heard_in(spans: Sequence[Span], encoder: QueryEncoder, excerpt: Excerpt) -> Tensor:
    """What is heard in spans, less a share of what is heard around them: float32 (D,), unit norm."""
    inside = torch.cat([excerpt(start, end) for start, end in spans])
    if not len(inside):
        raise InputError(f"--spans {spans[0][0]:g}-{spans[0][1]:g}: the recording is over before")
    around = torch.cat([excerpt(start, end) for start, end in _around(spans)])
    rate = encoder.sample_rate
    if not len(around):
        return encoder.embed_audio([inside], rate)[0]
    heard, beside = encoder.embed_audio([inside, around], rate)
    return F.normalize(heard - OUTSIDE_WEIGHT * beside, dim=-1)


def _around(spans: Sequence[Span]) -> list[Span]:
    """The seconds before, between and after spans that are near to one."""
    gaps, reached = [], 0.0
    for start, end in sorted(spans):
        before = max(reached, start - _AROUND_SECONDS)
        gaps += [(before, start)] if before < start else []
        reached = max(reached, end)
    return [*gaps, (reached, reached + _AROUND_SECONDS)]
