"""The players and pictures inside an HTML page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import numpy as np
import soundfile
from matplotlib.image import imread


@dataclass(frozen=True)
class Player:
    """An audio element.

    Attributes:
        audio: its samples, float32 (C, T).
        sample_rate: Hz.
    """

    audio: np.ndarray[Any, np.dtype[np.float32]]
    sample_rate: int


@dataclass(frozen=True)
class Picture:
    """An image element.

    Attributes:
        alt: its description.
        content: bytes of its file.
    """

    alt: str
    content: bytes

    @property
    def pixels(self) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Red, green and blue, float32 (height, width, 3)."""
        pixels: np.ndarray[Any, np.dtype[np.float32]] = imread(io.BytesIO(self.content))[..., :3]
        return pixels


@dataclass
class Embedded:
    """What a page contains.

    Attributes:
        players: its audio elements, in their order.
        pictures: its images.
        text: all text, unescaped.
    """

    players: list[Player] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    text: str = ""


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found = Embedded()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "audio":
            audio, rate = soundfile.read(io.BytesIO(_content(given["src"])), dtype="float32", always_2d=True)
            self.found.players.append(Player(audio.T, rate))
        elif tag == "img":
            self.found.pictures.append(Picture(given["alt"], _content(given["src"])))

    def handle_data(self, data: str) -> None:
        self.found.text += data


def _content(source: str) -> bytes:
    return base64.b64decode(source.partition("base64,")[2])


def embedded(html: str) -> Embedded:
    """Parse a page, or a part of one."""
    parser = _Parser()
    parser.feed(html)
    return parser.found
