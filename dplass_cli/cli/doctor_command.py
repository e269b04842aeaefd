"""``dplass doctor``: everything that a run needs, before it starts."""

from __future__ import annotations

import typer

from dplass_cli.cli.console import EXIT_SOME_FAILED, VerbRun
from dplass_cli.options.doctor_options import DoctorOptions


def command(options: DoctorOptions, run: VerbRun) -> None:
    """Check versions, device, disk, models, hashes, data and benchmark; exit code 1 if something is wrong.

    Example: dplass doctor --data partition --base-checkpoint audiosep.ckpt --tokenizer roberta-base --workspace run
    """
    from dplass_cli.pipelines.doctor import doctor

    checks = doctor(options, run.progress)
    rows = [[check.what, check.state, check.found, check.remedy] for check in checks]
    run.table(checks, ["checked", "", "found", "remedy"], rows, left=4)
    if any(check.state == "wrong" for check in checks):
        raise typer.Exit(EXIT_SOME_FAILED)
