"""Captions from class labels."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from dplass_cli.options.prepare_options import Captions

# First words of class names that keep their capital inside a sentence: proper names.
PROPER = frozenset(("Carnatic", "Christian", "Christmas", "French", "Hammond", "Middle"))


class ClipCaption(NamedTuple):
    """A caption of a clip.

    Attributes:
        caption: the text.
        labels: machine ids of the classes it stands for.
        classes: names of these classes.
    """

    caption: str
    labels: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()


class LabelCaptions:
    """Makes captions of the labels of a clip.

    Args:
        names: {machine id: class name}; other labels are ignored.
        form: "single" takes clips with exactly one label, "each" makes one caption per label, "joined" one caption of
            all labels. "file" makes the same as "joined", to be replaced by written captions.
        excluded: names or machine ids; a clip with one of them is not used.
        included: class names; only these become captions ("joined": one of the labels must be among them).
    """

    def __init__(
        self,
        names: Mapping[str, str],
        form: Captions = "single",
        excluded: Collection[str] = (),
        included: Collection[str] | None = None,
    ) -> None:
        self._names, self._form, self._excluded = names, form, {name.casefold() for name in excluded}
        self._included = None if included is None else {name.casefold() for name in included}
        self._single = {mid: ClipCaption(name, (mid,), (name,)) for mid, name in names.items()}
        self._known: dict[tuple[str, ...], tuple[tuple[ClipCaption, ...], str | None]] = {}

    def __call__(self, labels: tuple[str, ...]) -> tuple[tuple[ClipCaption, ...], str | None]:
        """Return the captions, and the reason not to use the clip, if any. Equal labels give the same objects."""
        known = self._known.get(labels)
        if known is None:
            known = self._known[labels] = self._texts(tuple(dict.fromkeys(mid for mid in labels if mid in self._names)))
        return known

    def _texts(self, labels: tuple[str, ...]) -> tuple[tuple[ClipCaption, ...], str | None]:
        names = tuple(self._names[mid] for mid in labels)
        if not labels:
            return (), "unknown label"
        if self._excluded and self._excluded.intersection(map(str.casefold, (*names, *labels))):
            return (ClipCaption("", labels, names),), "excluded label"
        if self._form == "single" and len(labels) > 1:
            return (ClipCaption("", labels, names),), "several labels"
        texts: tuple[ClipCaption, ...]
        if self._form in ("joined", "file"):
            texts = (ClipCaption(joined(names), labels, names),)
        else:
            texts = tuple(self._single[mid] for mid in labels)
        if self._included is None:
            return texts, None
        wanted = tuple(text for text in texts if self._included.intersection(map(str.casefold, text.classes)))
        return (wanted, None) if wanted else (texts, "other domain")


def joined(names: Sequence[str]) -> str:
    """Join class names as in a sentence: "Bark", "Bark and rain", "Bark, rain and baby cry".

    If there are several, only the first synonym of each ("Baby cry, infant cry") is used.
    """
    if len(names) == 1:
        return names[0]
    first, *others = (name.partition(",")[0].strip() for name in names)
    words = [first, *(_inside(name) for name in others)]
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _inside(name: str) -> str:
    """Return a class name as it is written inside a sentence."""
    if name.split()[0] in PROPER or name[1:2].isupper():
        return name
    return name[:1].lower() + name[1:]
