"""Queries: a sentence, an example recording, times at which the sound occurs, and sounds to keep out."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from dplass_cli.audio.folders import readable_files
from dplass_cli.audio.level import is_silent, without_offset
from dplass_cli.audio.reading import read_mono
from dplass_cli.encoders import QueryEncoder
from dplass_cli.errors import InputError

SPAN_WEIGHT = 0.25
"""Weight of the spans in a condition that also has a sentence or an example; see docs/separate.md."""

OUTSIDE_WEIGHT = 0.6
"""How much of the embedding around the spans is subtracted from the embedding inside them; see docs/separate.md."""

_AROUND_SECONDS = 10.0  # how far around a span the recording is embedded
_SPAN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*-\s*(\d+(?:\.\d+)?)\s*")

Span = tuple[float, float]
Excerpt = Callable[[float, float], Tensor]
"""Reads [start, end) seconds of the recording: mono float32 (T,) at the encoder's rate; empty beyond its ends."""


@dataclass(frozen=True)
class Query:
    """Describes one target: by a sentence, by an example, by times, or as everything but some sounds, or less of them.

    Attributes:
        text: a sentence.
        like: an example recording of such a sound, or a folder of several, instead of a sentence.
        spans: times (start, end) in seconds at which the target occurs; alone, or in addition to text or like.
        without: sentences that describe what to keep out. Alone: the recording with all of it removed.
        reduce: (sentence, dB) of what to turn down in the recording, instead of a sentence, an example or times.
        said: the sentence that was understood as this query, where that is not its text.
    """

    text: str = ""
    like: Path | None = None
    spans: tuple[Span, ...] = ()
    without: tuple[str, ...] = ()
    reduce: tuple[tuple[str, float], ...] = ()
    said: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        """The target's name: the sentence, the example's name, the times, or what it is without or has less of."""
        if self.text or not (self.like or self.spans or self.without or self.reduce):
            return self.text
        if self.like:
            return self.like.name if self.like.is_dir() else self.like.stem
        if self.spans:
            return "at " + " and ".join(f"{start:g}-{end:g} s" for start, end in self.spans)
        less = [f"less {text}" for text, _ in self.reduce]
        return " and ".join([*(["without " + " and ".join(self.without)] if self.without else []), *less])

    @property
    def sentences(self) -> tuple[str, ...]:
        """All sentences that the encoder has to know."""
        return (*((self.text,) if self.text else ()), *self.without, *(text for text, _ in self.reduce))

    @property
    def is_removal(self) -> bool:
        """Whether the target is the recording without some sounds, or with less of them."""
        return not (self.text or self.like or self.spans)

    def check(self) -> None:
        """Raise InputError if the query cannot be asked."""
        if (self.is_removal and not self.without and not self.reduce) or (self.text and not self.text.strip()):
            raise InputError("--query is empty; describe the sound, such as 'a dog barking'")
        if any("\0" in text for text in self.sentences):
            raise InputError(f"{self.name!r}: contains a null character; remove it")
        if not all(text.strip() for text in self.without):
            raise InputError("--not is empty; describe what to keep out, such as 'wind'")
        if self.text and self.like:
            raise InputError(f"{self.text!r} and {self.like}: a query has a sentence or an example, not both")
        if self.text in self.without:
            raise InputError(f"--not {self.text!r}: is also the --query; remove one of them")
        for text, decibels in self.reduce:
            if not self.is_removal:
                raise InputError(f"--reduce {text}: turns a sound down in the recording; leave out {self.name!r}")
            if not text.strip() or text in self.without:
                raise InputError(f"--reduce {text!r}: expected a sound that is not removed, such as wind=12")
            if not 0.0 < decibels < math.inf:
                raise InputError(f"--reduce {text}={decibels:g}: expected decibels above 0, such as wind=12")
        for start, end in self.spans:
            if not 0.0 <= start < end < math.inf:
                raise InputError(f"--spans {start:g}-{end:g}: expected seconds, the start before the end")


def parse_spans(text: str) -> tuple[Span, ...]:
    """Parse spans in seconds, such as ``3.2-4.0,6-7``; InputError if they are malformed."""
    spans = [_SPAN.fullmatch(part) for part in text.split(",")]
    if not all(spans):
        raise InputError(f"--spans {text}: expected seconds such as 3.2-4.0 or 3.2-4.0,6-7")
    return tuple((float(span[1]), float(span[2])) for span in spans if span)


def check_spans(queries: Iterable[Query], seconds: float) -> None:
    """Raise InputError if all spans of a query start after the end of a recording of this duration."""
    for query in queries:
        if query.spans and all(start >= seconds for start, _ in query.spans):
            start, end = query.spans[0]
            raise InputError(f"--spans {start:g}-{end:g}: starts after the end of the recording ({seconds:.1f} s)")


def named(queries: Iterable[str | Query]) -> dict[str, Query]:
    """The distinct queries by name, numbered where a name is taken; InputError if there are none or one is wrong."""
    queries = (queries,) if isinstance(queries, (str, Query)) else queries  # not the letters of a text
    distinct = dict.fromkeys(Query(query) if isinstance(query, str) else query for query in queries)
    if not distinct:
        raise InputError("no query is given; describe the sound, such as --query 'a dog barking'")
    by_name: dict[str, Query] = {}
    for query in distinct:
        query.check()
        name, count = query.name, 2
        while name in by_name:
            name, count = f"{query.name} ({count})", count + 1
        by_name[name] = query
    return by_name


class Source(NamedTuple):
    """A sound that the network separates on the way to the targets.

    Attributes:
        name: the name of a query, or a sentence that describes what to keep out.
        role: ``target`` of the query; ``excluded``: a sound to keep out; ``residual`` of the query's target.
    """

    name: str
    role: Literal["target", "excluded", "residual"] = "target"


@dataclass(frozen=True)
class Target:
    """How one output is made of the sources.

    Attributes:
        source: the source that it is; None: the recording without its rivals.
        rivals: the sources that compete for the recording, itself among them.
        removed: {rival: the share of it that the recording loses}, where ``source`` is None; all of it by default.
        residual: the source by which the target is refined (:mod:`dplass_cli.separation.refinement`); None: it is not.
    """

    source: Source | None
    rivals: tuple[Source, ...]
    residual: Source | None = None
    removed: Mapping[Source, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What the network is asked for, and what is made of it.

    Attributes:
        conditions: {source: embedding, float32 (D,)}.
        targets: {name of a query: its target}.
    """

    conditions: Mapping[Source, Tensor]
    targets: Mapping[str, Target]


def plan(queries: Mapping[str, Query], encoder: QueryEncoder, excerpt: Excerpt, consistent: bool) -> Plan:
    """Embed queries, {name: query}, and decide how their targets share the recording.

    With ``consistent`` all targets compete for the recording; otherwise each only with what it excludes.
    """

    def source(text: str) -> Source:
        """What a query keeps out or turns down; a sentence that is also a query of its own is separated only once."""
        return Source(text, "target" if queries.get(text) == Query(text) else "excluded")

    conditions = {Source(n): condition(query, encoder, excerpt) for n, query in queries.items() if not query.is_removal}
    for query in queries.values():
        if texts := [*query.without, *(text for text, _ in query.reduce)]:
            conditions |= dict(zip(map(source, texts), encoder.embed_text(texts), strict=True))
    competing = [Source(name) for name, query in queries.items() if not query.is_removal] if consistent else []

    def target(name: str, query: Query) -> Target:
        excluded = [source(text) for text in query.without]
        if query.is_removal:
            removed = {source(text): 1.0 - 10.0 ** (-decibels / 20.0) for text, decibels in query.reduce}
            return Target(None, tuple(dict.fromkeys((*excluded, *removed))), removed=removed)
        return Target(Source(name), tuple(dict.fromkeys((Source(name), *competing, *excluded))))

    return Plan(conditions, {name: target(name, query) for name, query in queries.items()})


def condition(query: Query, encoder: QueryEncoder, excerpt: Excerpt) -> Tensor:
    """The embedding that conditions the network: float32 (D,), unit norm.

    Spans, one of them at least inside the recording, pull the embedding of a sentence or an example towards the sound
    inside them and away from the sound around.

    Raises:
        InputError: an example cannot be read or is silent, or the recording is silent at the spans.
    """
    described = None
    if query.text:
        described = encoder.embed_text([query.text])[0]
    elif query.like:
        described = _embed_examples(query.like, encoder)
    if not query.spans:
        assert described is not None
        return described
    inside = _embed_spans(query.spans, encoder, excerpt)
    if described is None:
        return inside
    return F.normalize((1.0 - SPAN_WEIGHT) * described + SPAN_WEIGHT * inside, dim=-1)


def _embed_examples(like: Path, encoder: QueryEncoder) -> Tensor:
    files = readable_files(like) if like.is_dir() else (like,)
    sounds = [without_offset(torch.from_numpy(read_mono(file, encoder.sample_rate))) for file in files]
    for file, sound in zip(files, sounds, strict=True):
        if is_silent(sound):
            raise InputError(f"--like {file}: is silent; give a recording of the sound")
    return F.normalize(encoder.embed_audio(sounds, encoder.sample_rate).mean(dim=0), dim=-1)


def _embed_spans(spans: Sequence[Span], encoder: QueryEncoder, excerpt: Excerpt) -> Tensor:
    """Embed the spans and subtract a share of the embedding around them: float32 (D,), unit norm."""
    inside = without_offset(torch.cat([excerpt(start, end) for start, end in spans]))
    given = ",".join(f"{start:g}-{end:g}" for start, end in spans)
    if not len(inside):
        raise InputError(f"--spans {given}: is shorter than a sample; give the times at which the sound occurs")
    if is_silent(inside):
        raise InputError(f"--spans {given}: the recording is silent there; give the times at which the sound occurs")
    around = without_offset(torch.cat([excerpt(start, end) for start, end in _gaps(spans)]))
    rate = encoder.sample_rate
    if not len(around):
        return encoder.embed_audio([inside], rate)[0]
    within, outside = encoder.embed_audio([inside, around], rate)
    return F.normalize(within - OUTSIDE_WEIGHT * outside, dim=-1)


def _gaps(spans: Sequence[Span]) -> list[Span]:
    """The seconds before, between and after the spans that are near one of them."""
    gaps, reached = [], 0.0
    for start, end in sorted(spans):
        before = max(reached, start - _AROUND_SECONDS)
        gaps += [(before, start)] if before < start else []
        reached = max(reached, end)
    return [*gaps, (reached, reached + _AROUND_SECONDS)]
