"""``python -m dplass_cli`` and the ``dplass`` executable."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from dplass_cli.environment import complete_environment

    complete_environment()  # before the rest, because torch and Lightning read the environment when they are imported
    from dplass_cli.cli import app

    app()


if __name__ == "__main__":
    main()
