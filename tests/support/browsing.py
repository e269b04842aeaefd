"""Waiting for a page in a browser."""

from __future__ import annotations

from typing import Any


def wait_for(page: Any, expression: str, seconds: float = 30.0) -> None:
    """Wait until a JavaScript expression is true.

    Playwright's own ``wait_for_function`` is blocked by a strict content security policy.
    """
    for _ in range(round(seconds / 0.05)):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"not true after {seconds} s: {expression}")
