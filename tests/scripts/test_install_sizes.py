"""What an installation consists of."""

from __future__ import annotations

from install_sizes import megabytes, required


def test_distributions_are_followed_through_their_requirements() -> None:
    found, missing = required("jinja2")
    assert {"jinja2", "markupsafe"} <= found
    assert not missing
    assert 0 < megabytes(found) < 10


def test_what_is_not_installed_is_missing() -> None:
    assert required("no-such-package-xyz") == (set(), {"no-such-package-xyz"})
