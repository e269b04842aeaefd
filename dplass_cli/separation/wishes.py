"""What a sentence asks for: a sound, the recording without a sound, or with a sound turned down.

"Remove the wind" does not describe a sound; taken as a description, it would yield the wind. ``metadata/wishes.yaml``
lists the words that say what is meant. A sentence without any of them describes a sound and stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import yaml

from dplass_cli.resources import resource
from dplass_cli.separation.queries import Query
from dplass_cli.storage import read_text

TABLE = "metadata/wishes.yaml"
REDUCTION_DB = 12.0
"""How far a sound is turned down where the sentence gives no number."""

_ARTICLES = r"(?:the|a|an|any|all|all of|some|that|this|those|these|my|our|his|her|their|its|every|each)"
_SOUND_OF = r"(?:(?:the|any|all|a)\s+)?(?:sounds?|noises?|volume|level|loudness)\s+of\s+"
_BY = r"\s*,?\s*by\s+(?P<db>\d+(?:\.\d+)?)\s*(?:db|decibels?)"
_DECIBELS = rf"(?:{_BY})?"


@dataclass(frozen=True)
class Wish:
    """What a sentence asks for.

    Attributes:
        keep: the sound to separate; empty: the recording.
        remove: the sounds to keep out of it.
        reduce_db: how far to turn them down instead, dB; None: remove them.
    """

    keep: str = ""
    remove: tuple[str, ...] = ()
    reduce_db: float | None = None

    @property
    def meaning(self) -> str:
        """The wish in words, such as ``removing: wind``."""
        sounds = ", ".join(self.remove)
        if self.reduce_db is not None:
            return f"turning down by {self.reduce_db:g} dB: {sounds}"
        if not self.keep:
            return f"removing: {sounds}"
        return f"separating: {self.keep}" + (f"; keeping out: {sounds}" if sounds else "")


def understood(sentence: str) -> Query:
    """The query that a sentence asks for; ``said`` is the sentence where its words were not taken as a description."""
    sentence = " ".join(sentence.split())  # sentences that differ in blanks are the same query
    wish = wish_of(sentence)
    if wish is None:
        return Query(sentence)
    if wish.reduce_db is not None:
        return Query(reduce=tuple((sound, wish.reduce_db) for sound in wish.remove), said=sentence)
    return Query(wish.keep, without=wish.remove, said=sentence)


def wish_of(sentence: str) -> Wish | None:
    """The wish that a sentence expresses; None if it describes a sound."""
    words = _trimmed(sentence.replace("’", "'"))
    table = _table()
    if phrase := table.phrases.get(words.casefold()):
        return Wish(remove=(phrase,))
    if any(name in words.casefold() for name in table.descriptions):
        return None
    for pattern, make in table.patterns:
        found = pattern.fullmatch(words)
        if found and (wish := make(found)) is not None:
            return wish
    return None


@cache
def _table() -> _Table:
    return _Table(yaml.safe_load(read_text(resource(TABLE))))


class _Table:
    """The patterns of the table, in the order in which they are tried.

    Attributes:
        phrases: {whole sentence: the sound to remove}.
        patterns: (pattern of a whole sentence, function that makes its wish or None).
        polite: words of politeness, and a wish.
        idioms: sounds with "and" in their names.
        descriptions: sounds whose names look like wishes.
        closing: a wish and closing words.
        anyway: a list of sounds, and what is kept anyway.
        of_recording: a sound, and that it is in the recording.
        source: a sound, and what it is to be taken from.
        between: patterns of a sound and what is to be kept out of it.
        everything: the recording, in words.
        nothing_else: a sound to keep, and that all else is to be removed.
        removing: a sound to keep, and one to remove.
    """

    def __init__(self, words: dict[str, Any]) -> None:
        def any_of(*names: str) -> str:
            entries = sorted((entry for name in names for entry in words[name]), key=len, reverse=True)
            return "(?:" + "|".join(r"\s+".join(map(re.escape, entry.split())) for entry in entries) + ")"

        self.phrases: dict[str, str] = words["phrases"]
        self.idioms: list[str] = words["idioms"]
        self.descriptions: list[str] = words["descriptions"]
        self.polite = _compiled(rf"{any_of('polite')}\b[\s,]*(?P<rest>.+)")
        self.closing = _compiled(rf"(?P<rest>.+?)[\s,]+{any_of('closing')}")
        self.anyway = _compiled(rf"(?P<rest>.+?)[\s,]+{any_of('anyway')}\b.*")
        self.of_recording = _compiled(
            r"(?P<rest>.+?)\s+(?:from|in|of|out of|on|throughout)\s+"
            rf"(?:{_ARTICLES}\s+)*(?:\w+\s+)?{any_of('recording')}"
        )
        self.source = _compiled(r"(?P<rest>.+?)\s+(?:from|out of)\s+(?P<source>.+)")
        everything = rf"(?:{any_of('everything')})"
        without = rf"[\s,]+{any_of('except')}\s+(?P<sound>.+)"
        removing, keeping = any_of("remove"), any_of("keep")
        patterns = [
            (rf"(?:{removing}|{any_of('remove_before_article')})\s+{everything}{without}", _keep),
            (rf"(?:(?:{keeping})\s+)?{everything}{without}", _remove),
            (rf"{any_of('reduce', 'reduce_before')}\s+(?P<sound>.+?){_DECIBELS}", _reduce),
            (rf"{any_of('reduce_before_article')}\s+{_ARTICLES}\s+(?P<sound>.+?){_DECIBELS}", _reduce),
            (rf"{any_of('reduce_enclosing')}\s+(?P<sound>.+?)\s+{any_of('reduce_ends')}{_DECIBELS}", _reduce),
            (rf"(?P<sound>.+?)\s+{any_of('reduced_before')}{_DECIBELS}", _reduce),
            (rf"{any_of('enclosing')}\s+(?P<sound>.+?)\s+{any_of('enclosing_ends')}(?:\s+of\s+.+)?", _remove),
            (rf"{removing}\s+(?P<sound>.+?){_BY}", _reduce),
            (rf"{removing}\s+(?P<sound>.+)", _remove),
            (rf"{any_of('remove_before_article')}\s+{_ARTICLES}\s+(?P<sound>.+)", _remove),
            (rf"(?P<sound>.+?),?\s+{any_of('removed_before')}", _remove),
            (rf"{keeping}\s+(?P<sound>.+)", _keep),
            (rf"{any_of('keep_before_article')}\s+{_ARTICLES}\s+(?P<sound>.+)", _keep),
            (rf"(?P<sound>.+?),?\s+{any_of('kept_before')}", _keep),
            (rf"{any_of('removed_after')}\s+(?P<sound>.+)", _remove),
            (rf"(?P<keep>.+?)[\s,]+{any_of('between')}\s+(?P<sound>.+)", _between),
            (r"(?P<keep>.+?),\s*(?:no|not)\s+(?P<sound>.+)", _between),
        ]
        self.patterns = [(_compiled(pattern), make) for pattern, make in patterns]
        self.between = self.patterns[-2:]
        self.everything = _compiled(everything)
        self.nothing_else = _compiled(rf"(?P<rest>.+?)[\s,;]+(?:(?:and|but|then)\s+)?{removing}\s+{everything}")
        self.removing = _compiled(rf"(?P<keep>.+?)[\s,;]+(?:(?:and|but|then)\s+)?{removing}\s+(?P<sound>.+)")


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


def _remove(found: re.Match[str]) -> Wish | None:
    sounds = _sounds(found["sound"])
    return Wish(remove=sounds) if sounds else None


def _reduce(found: re.Match[str]) -> Wish | None:
    sounds = _sounds(found["sound"])
    return Wish(remove=sounds, reduce_db=float(found["db"] or REDUCTION_DB)) if sounds else None


def _keep(found: re.Match[str]) -> Wish | None:
    """A sound to keep, of which something may be excluded: "keep the speech without the wind"."""
    table, words = _table(), found["sound"]
    if parts := table.nothing_else.fullmatch(words):
        words = parts["rest"]
    for pattern in (table.removing, *(pattern for pattern, _ in table.between)):
        if parts := pattern.fullmatch(words):
            return _between(parts)
    words = _without_place(words)
    if parts := table.source.fullmatch(words):
        return replace(Wish(_sound(parts["rest"])), remove=_sounds(parts["source"]))
    kept = _sound(words)
    return Wish(kept) if kept else None


def _between(found: re.Match[str]) -> Wish | None:
    kept, sounds = _sound(_without_place(found["keep"])), _sounds(found["sound"])
    return Wish(kept, sounds) if kept and sounds else None


def _sounds(words: str) -> tuple[str, ...]:
    """The sounds of a list: "the wind, the rain and traffic"."""
    if found := _table().anyway.fullmatch(words):
        words = found["rest"]
    words = _without_place(words)
    if found := _table().source.fullmatch(words):
        words = found["rest"]
    if words.casefold() in _table().idioms:
        return (words,)
    if _table().everything.fullmatch(words):
        return ()
    parts = re.split(
        r"\s*,\s*(?:(?:and|or|nor)\s+)?|\s+(?:and|or|nor|as well as)\s+(?=(?:the|all|any|my|also)\b)", words
    )
    if len(parts) == 1 and re.fullmatch(r"(?:the\s+)?\w+\s+(?:and|or|nor)\s+\w+", words, re.IGNORECASE):
        parts = re.split(r"\s+(?:and|or|nor)\s+", words)
    return tuple(dict.fromkeys(filter(None, map(_sound, parts))))


def _without_place(words: str) -> str:
    """Words without where in the recording the sound is: "the wind from this recording"."""
    found = _table().of_recording.fullmatch(words)
    return found["rest"] if found else words


def _sound(words: str) -> str:
    """The description of a sound without article, and without "the sound of"."""
    words = re.sub(rf"^{_SOUND_OF}", "", words.strip(" ,;:"), flags=re.IGNORECASE)
    return re.sub(rf"^(?:{_ARTICLES}\s+)+", "", words, flags=re.IGNORECASE).strip()


def _trimmed(words: str) -> str:
    """A sentence without closing marks and words of politeness."""
    table = _table()
    before = None
    while words != before:
        before, words = words, words.strip().strip(".!?\"“”'").strip()
        for pattern in (table.polite, table.closing):
            if found := pattern.fullmatch(words):
                words = found["rest"]
    return words


def meanings(queries: Iterable[Query]) -> list[str]:
    """One line for each query whose sentence was not taken as a description: what was understood."""
    wishes = {query.said: wish_of(query.said) for query in queries if query.said}
    return [f"{said!r}: {wish.meaning}" for said, wish in wishes.items() if wish is not None]
