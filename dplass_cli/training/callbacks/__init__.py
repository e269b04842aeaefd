"""Lightning callbacks of a training, one per file. :mod:`dplass_cli.training.trainer` puts them in order."""
