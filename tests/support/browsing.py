"""Waiting in a browser."""

from __future__ import annotations

from typing import Any


def wait_for(page: Any, expression: str, seconds: float = 30.0) -> None:
    """Wait until a JavaScript expression is true; unlike Playwright's own way, under a strict content policy too."""
    for _ in range(round(seconds / 0.05)):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"not so after {seconds} s: {expression}")
