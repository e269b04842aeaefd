"""``prepare-audioset``: from AudioSet's segment lists and a folder of clips to a manifest."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from dplass_cli.audio.folders import READABLE, walk_folders
from dplass_cli.data.captions import LabelCaptions
from dplass_cli.data.prepare.audioset_lists import check_labels, read_class_labels, read_segment_lists, segment_records
from dplass_cli.data.prepare.clip_table import clip_table
from dplass_cli.data.prepare.corpora import CORPORA
from dplass_cli.data.prepare.corpus_tables import read_captions, read_pairs
from dplass_cli.data.prepare.locating import ClipIndex, listed_files
from dplass_cli.data.prepare.preparation import prepare, require_output
from dplass_cli.data.prepare.prepare_result import PrepareResult
from dplass_cli.errors import InputError, some
from dplass_cli.extras import drawn
from dplass_cli.options.prepare_audioset_options import PrepareAudiosetOptions
from dplass_cli.options.shell_command import shell_command
from dplass_cli.pipelines.prepare import prepared_share, purity_scorer
from dplass_cli.storage import Progress, no_progress


def prepare_audioset(options: PrepareAudiosetOptions, progress: Progress = no_progress) -> PrepareResult:
    """Write the manifest of the usable clips, in the order of the lists, and ``rejects.csv`` with the others.

    Raises:
        InputError: an option or input file is wrong, ``ids`` match no segment, too many clips are missing, or no clip
            is usable.
    """
    if absent := [folder for folder in options.audio_dir if not folder.is_dir()]:
        raise InputError(f"{some(absent)}: no such folder; check --audio-dir")
    read = (options.labels, options.caption_file, options.domains, options.name_map, options.ids, options.file_list)
    require_output(options.output, *options.segments, *read, options.corrections, options.report)
    name_map = {} if options.name_map is None else read_pairs(options.name_map, ("YTID",), ("filename",))
    result = prepare(
        _find_clips(options, name_map, progress),
        CORPORA["audioset"],
        options.output,
        options,
        places=[options.file_list] if options.file_list else options.audio_dir,
        file_name=lambda ytid: name_map.get(ytid, f"{ytid}{READABLE[0]}"),
        progress=progress,
        purities=purity_scorer(options),
        share=prepared_share(),
    )
    if options.report is not None and result.complete and drawn("prepare-audioset"):
        from dplass_cli.reports.preparation_report import write_report

        write_report(options.report, result, shell_command("prepare-audioset", options))
    return result


def _find_clips(options: PrepareAudiosetOptions, name_map: Mapping[str, str], progress: Progress) -> pd.DataFrame:
    """Match segments, labels and files. What only this needs, a gigabyte for all of AudioSet, is freed at its end."""
    names = read_class_labels(options.labels)
    check_labels(options.exclude_label, names, options.labels)
    included = None
    if options.domains is not None:
        from dplass_cli.domains.imported import captions_of_domains

        included = captions_of_domains(options.domains, options.include_domain)
    captions = LabelCaptions(names, options.captions, options.exclude_label, included)
    written = None if options.caption_file is None else read_captions(options.caption_file)
    records = segment_records(read_segment_lists(options.segments, options.ids, progress))
    progress(0, 1, "finding clips")
    files = listed_files(options.file_list, options.audio_dir) if options.file_list else walk_folders(options.audio_dir)
    index = ClipIndex(files, pattern=options.name_pattern, name_map=name_map)
    progress(0, 1, "matching segments and clips")
    return clip_table(records, CORPORA["audioset"], index, captions, written)
