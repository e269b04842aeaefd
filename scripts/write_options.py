"""Write ``docs/options.md``, the tables of all options, from their declarations in ``dplass_cli/options``.

python scripts/write_options.py            write the page
python scripts/write_options.py --check    exit code 1 if the page differs from the declarations
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from dplass_cli.cli import app
from dplass_cli.options.common_options import CommonOptions
from dplass_cli.options.tables import options_table

PAGE = Path(__file__).parents[1] / "docs" / "options.md"
INTRODUCTION = """# Options

This page is written by `python scripts/write_options.py` from the declarations in `dplass_cli/options/`.

Every option has a key, for `--set KEY=VALUE` and for the YAML file of `--config`; most have a flag, too. The key is the
flag's name with underscores (`--base-checkpoint` is `base_checkpoint`), or is given in parentheses. In YAML,
`train.max_epochs` is `max_epochs` in the section `train`. Later sources override earlier ones: default, `--config`,
`--set`, flag.
"""


def verbs(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, type]]:
    """Every verb in alphabetical order: (its words, the class of its options)."""
    for name, command in sorted(group.commands.items()):
        if hasattr(command, "commands"):
            yield from verbs(command, (*path, name))
        else:
            yield " ".join((*path, name)), command.options


def page() -> str:
    """The page: one table per verb; verbs with the same options, such as ``prepare KIND``, share one."""
    by_options: dict[type, list[str]] = {}
    for words, options in verbs(typer.main.get_command(app)):
        by_options.setdefault(options, []).append(words)
    parts = [INTRODUCTION, f"## Every verb\n\n{options_table(CommonOptions)}\n"]
    for options, names in by_options.items():
        title = names[0] if len(names) == 1 else f"{names[0].rpartition(' ')[0]} KIND"
        parts.append(f"## {title}\n\n{options_table(options)}\n")
    return "\n".join(parts)


def main() -> None:
    """Write or check the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    if not parser.parse_args().check:
        PAGE.write_text(page(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != page():
        sys.exit(f"{PAGE}: differs from the declared options; run python scripts/write_options.py")


if __name__ == "__main__":
    main()
