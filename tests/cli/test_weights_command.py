"""``dplass weights`` as a user sees it; downloads are tested in tests/weights."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from dplass_cli.cli import app


@pytest.mark.parametrize("verb", ["list", "fetch", "verify"])
def test_every_verb_has_help_with_an_example(verb: str) -> None:
    done = CliRunner().invoke(app, ["weights", verb, "--help"])
    assert done.exit_code == 0
    assert f"Example: dplass weights {verb}" in " ".join(done.output.split())


def test_list_needs_no_network_and_says_what_there_is() -> None:
    done = CliRunner().invoke(app, ["weights", "list"])
    assert done.exit_code == 0, done.output
    for text in ("audiosep", "1.26 GB", "CC0-1.0"):
        assert text in done.stdout
    assert re.search(r"audiosep .* known ", done.stdout)
    assert re.search(r"audiosep-dcase .* unverified ", done.stdout)
    (listed,) = json.loads(CliRunner().invoke(app, ["weights", "list", "audiosep", "--json"]).stdout)
    assert listed["row"]["hub"] == "spaces/Audio-AGI/AudioSep"
    assert listed["row"]["files"][0]["size"] == 1264844076


def test_importing_it_is_light_and_asks_nobody() -> None:
    code = (
        "import sys, dplass_cli.cli.weights_command, dplass_cli.pipelines.weights\n"
        "found = {'huggingface_hub', 'torch', 'gdown'} & set(sys.modules)\n"
        "assert not found, found\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_nothing_or_something_unknown_named() -> None:
    for arguments, says in (
        (["fetch"], ["dplass: no names given; name what to fetch: audiosep,"]),
        (["fetch", "audiosp"], ["dplass: audiosp: must be one of ", "; did you mean 'audiosep'?"]),
        (["verify", "clip"], ["dplass: clip: must be one of ", "; did you mean 'clap'?"]),
    ):
        done = CliRunner().invoke(app, ["weights", *arguments])
        assert done.exit_code == 2
        assert done.stderr.startswith(says[0])
        assert says[-1] in done.stderr
        assert done.stderr.count("\n") == 1
