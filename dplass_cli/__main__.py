"""``python -m dplass_cli`` and the ``dplass`` executable."""

from __future__ import annotations

import atexit
import gc


def main() -> None:
    """Run the command line."""
    # The last collection, which frees what the operating system frees anyway, takes 0.4 s once torch is imported.
    atexit.register(gc.freeze)
    from dplass_cli.environment import complete_environment, write_any_character

    write_any_character()
    complete_environment()  # before the rest, because torch and Lightning read the environment when they are imported
    from dplass_cli.cli import app

    app()


if __name__ == "__main__":
    main()
