"""``dplass sounds``: what the encoder knows."""

from __future__ import annotations

from dplass_cli.cli.console import VerbRun
from dplass_cli.options.sounds_options import SoundsOptions


def command(options: SoundsOptions, run: VerbRun) -> None:
    """List the sounds that the encoder knows, by the domain that serves them.

    Example: dplass sounds
    """
    from dplass_cli.pipelines.sounds import sounds

    result = sounds(options)
    if not result.groups:
        run.note(f"the {result.encoder} encoder has no list of sounds: ask for any sound in your own words")
    run.table(result, ["domain", "sounds"], [[name, "; ".join(kinds)] for name, kinds in result.groups.items()], left=2)
