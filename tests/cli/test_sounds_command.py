"""``dplass sounds`` as it is called."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from dplass_cli import load_encoder
from dplass_cli.cli import app

run = CliRunner().invoke


def test_every_known_sound_is_listed_once_by_domain() -> None:
    done = run(app, ["sounds", "--json"])
    assert done.exit_code == 0, done.output
    groups = json.loads(done.stdout)["groups"]
    assert len(groups) == 7
    listed = [kind for kinds in groups.values() for kind in kinds]
    assert sorted(listed) == sorted(load_encoder("tiny").kinds)
    together = next(kinds for kinds in groups.values() if "dog bark" in kinds)
    assert "vacuum cleaner" not in together
    assert "vacuum cleaner; waterfall" in " ".join(run(app, ["sounds"]).stdout.split())


def test_separate_lists_the_same_sounds() -> None:
    assert run(app, ["separate", "--list-sounds", "--json"]).stdout == run(app, ["sounds", "--json"]).stdout
