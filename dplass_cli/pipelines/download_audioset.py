"""``download-audioset``: the clips of segment lists."""

from __future__ import annotations

from dplass_cli.data.prepare.audioset_lists import read_segment_lists
from dplass_cli.data.prepare.segment_download import DownloadResult, download_segments
from dplass_cli.errors import InputError
from dplass_cli.options.download_audioset_options import DownloadAudiosetOptions
from dplass_cli.storage import Progress, no_progress


def download_audioset(options: DownloadAudiosetOptions, progress: Progress = no_progress) -> DownloadResult:
    """Download the clips that are not in the folder yet; ``failures.csv`` records the unavailable ones.

    Raises:
        InputError: the lists are wrong, or the extra ``download`` is not installed.
        RunError: the server refuses further requests or is unreachable, the disk is full, or many videos in a row
            failed for the same reason. Downloaded clips are kept.
    """
    if not options.segments:
        raise InputError("no segment list; give one with --segments")
    return download_segments(
        read_segment_lists(options.segments, options.ids),
        options.output,
        options.source,
        options.limit,
        options.pause,
        options.retry_failed,
        progress,
        cookies=options.cookies,
        same_failures=options.same_failures,
    )
