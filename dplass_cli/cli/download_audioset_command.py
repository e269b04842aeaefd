"""``dplass download-audioset``: the clips of segment lists."""

from __future__ import annotations

from dplass_cli.cli.console import VerbRun
from dplass_cli.options.download_audioset_options import DownloadAudiosetOptions

interrupted = "downloaded clips are kept; run the same command again"


def command(options: DownloadAudiosetOptions, run: VerbRun) -> None:
    """Fetch the audio of AudioSet's segments, cut to them. Needs the extra: pip install 'dplass[download]'.

    You are the one who downloads: respect the terms of the site and the rights of the videos' authors.

    Example: dplass download-audioset --segments balanced_train_segments.csv --output audio
    """
    from dplass_cli.pipelines.download_audioset import download_audioset

    result = download_audioset(options, run.progress)
    counts = [result.segments, result.fetched, result.found, len(result.failed), result.left]
    columns = ["clips asked for", "fetched", "there before", "failed", "not tried"]
    run.table(result, columns, [counts], str(result.folder), left=0)
    if result.failed:
        run.some_failed([f"{len(result.failed)} clips cannot be fetched; {result.failures} says why"])
