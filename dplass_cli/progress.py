"""Progress for people: bars on a terminal or in a notebook, lines in a log file."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

_LARGE = 100_000  # totals of samples: their times say more than their counts
_TIMES, _BAR = "{elapsed}, {remaining} left", "{desc}: {percentage:3.0f}%|{bar}| "


class ProgressBars:
    """A progress callback that draws tqdm bars.

    Work with a name, such as ``domain3: loss 0.01``, gets a bar of its own, so that several jobs can be shown at once.
    Where the stream is neither a terminal nor a notebook, lines are written instead.

    Args:
        stream: where progress is shown; default: stderr.
        seconds: between two lines.
    """

    def __init__(self, stream: TextIO | None = None, seconds: float = 10.0) -> None:
        self._stream, self._seconds = stream or sys.stderr, seconds
        self._bars: dict[str, Any] = {}
        self._begun: dict[str, float] = {}
        self._last_line = time.monotonic()

    def __call__(self, done: int, total: int, what: str) -> None:
        if self._stream.isatty() or "ipykernel" in sys.modules:
            self._draw(done, total, what)
        else:
            self._write_line(done, total, what)

    @property
    def bars(self) -> list[Any]:
        """The tqdm bars on the screen."""
        return list(self._bars.values())

    def close(self) -> None:
        """Remove the bars from the screen."""
        for bar in self._bars.values():
            bar.close()
        self._bars.clear()

    def _draw(self, done: int, total: int, what: str) -> None:
        from tqdm.auto import tqdm

        name = _name(what)
        bar = self._bars.get(name)
        if bar is None:
            form = _BAR + _TIMES if total >= _LARGE else None
            bar = self._bars[name] = tqdm(
                desc=what, total=total, leave=False, dynamic_ncols=True, file=self._stream, bar_format=form
            )
        elif done < bar.n:  # the next phase of the work
            bar.reset()
        bar.total = total
        bar.set_description_str(what, refresh=False)
        bar.update(done - bar.n)

    def _write_line(self, done: int, total: int, what: str) -> None:
        now = time.monotonic()
        begun = self._begun.setdefault(_name(what), now)
        if now - self._last_line < self._seconds:
            return
        from tqdm import tqdm

        self._last_line = now
        if total >= _LARGE:
            line = tqdm.format_meter(
                done, total, now - begun, prefix=what, bar_format="{desc}: {percentage:.0f}%, " + _TIMES
            )
        else:
            line = tqdm.format_meter(done, total, now - begun, ncols=0, prefix=what)
        print(line, file=self._stream, flush=True)


def _name(what: str) -> str:
    return what.partition(": ")[0] if ": " in what else ""
