"""``prepare``: from a corpus of the table to a manifest, and from several manifests to one."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from dplass_cli.audio.folders import walk_folders
from dplass_cli.data.manifest import read_manifest
from dplass_cli.data.prepare.clip_table import clip_table, column_label_captions
from dplass_cli.data.prepare.converting import is_copy
from dplass_cli.data.prepare.corpus_reader import (
    column_texts,
    corpus_with_columns,
    file_records,
    find_tables,
    read_records,
    require_columns,
    rows_where,
)
from dplass_cli.data.prepare.drawing import MixturesResult, draw_table
from dplass_cli.data.prepare.generating import GenerateResult, generate_clips
from dplass_cli.data.prepare.locating import ClipIndex, listed_files
from dplass_cli.data.prepare.merging import MergeResult, merge_manifests
from dplass_cli.data.prepare.preparation import Purities, prepare, require_output
from dplass_cli.data.prepare.prepare_result import PrepareResult
from dplass_cli.data.prepare.sharding import ShardsResult, write_shards
from dplass_cli.data.prepare.stems import add_missing_stems, stem_files, unpack_stems
from dplass_cli.extras import drawn
from dplass_cli.options.prepare_options import (
    ClipSelection,
    CorpusOptions,
    GenerateOptions,
    MergeOptions,
    MixturesOptions,
    ShardsOptions,
)
from dplass_cli.options.shell_command import shell_command
from dplass_cli.storage import Progress, no_progress, require_folder


def prepare_corpus(options: CorpusOptions, progress: Progress = no_progress) -> PrepareResult:
    """Write the manifest of a corpus, in the order of its list, and ``NAME-rejects.csv`` with what is not used.

    Raises:
        InputError: an option or input file is wrong, too many clips are missing, or none is usable.
    """
    corpus = corpus_with_columns(options.kind, options.column)
    for folder in filter(None, (options.folder, *options.audio_dir)):
        require_folder(folder)
    require_output(options.output, *options.table, options.file_list, options.corrections, options.report)
    split = corpus.split if options.split is None else options.split
    if corpus.stem_files and options.folder and (songs := stem_files(options.folder, split)):
        unpacked = options.output.with_name(f"{options.output.stem}-stems")
        unpack_stems(songs, options.folder, unpacked, progress)
        options = replace(options, folder=unpacked)
    folders = options.audio_dir or ((options.folder,) if options.folder else tuple(p.parent for p in options.table))
    progress(0, 1, "finding clips")
    files = walk_folders(folders) if options.file_list is None else listed_files(options.file_list, folders)
    index = None
    if corpus.table is None:
        source = options.folder or folders[0]
        # copies that an earlier run made may lie below the folder
        clip_files = [file for file in files if not is_copy(file, options.convert_dir)]
        records = file_records(clip_files, source, split)
        if corpus.stem_files:
            records = add_missing_stems(records, corpus.caption_of)
        require_columns(records, options.column, str(source))
        records = rows_where(records, options.where, str(source))
    else:
        tables = options.table or tuple(find_tables(corpus, options.folder or Path(), split))
        require_output(options.output, *tables)
        source = tables[0]
        records = read_records(corpus, tables, split, bool(options.split))
        require_columns(records, options.column, str(source))
        records = rows_where(records, options.where, str(source))
        index = ClipIndex(files, filter(None, column_texts(records, corpus.name)), options.name_pattern)
    captions = column_label_captions(records, corpus, options.captions)
    clips = clip_table(records, corpus, index, captions, where=str(source))
    places = folders if options.file_list is None else (options.file_list,)
    result = prepare(
        clips,
        corpus,
        options.output,
        options,
        places,
        progress=progress,
        purities=purity_scorer(options),
        share=prepared_share(),
    )
    if options.report is not None and result.complete and drawn("prepare"):
        from dplass_cli.reports.preparation_report import write_report

        write_report(options.report, result, shell_command(f"prepare {options.kind}", options))
    return result


def purity_scorer(options: ClipSelection) -> Purities | None:
    """What scores clips for ``--min-purity``; None without the option."""
    if options.min_purity is None:
        return None
    from dplass_cli.devices import choose_device
    from dplass_cli.domains.purity import PurityScorer
    from dplass_cli.encoders import load_encoder

    settings = options.purity
    return PurityScorer(load_encoder(settings.encoder, settings.tokenizer, choose_device(settings.device)), settings)


def similarity_scorer(options: GenerateOptions) -> Purities | None:
    """What scores clips for ``--min-similarity``; None without the option."""
    if options.min_similarity is None:
        return None
    from dplass_cli.devices import choose_device
    from dplass_cli.domains.purity import SimilarityScorer
    from dplass_cli.encoders import load_encoder

    settings = options.similarity
    encoder = load_encoder(settings.encoder, settings.tokenizer, choose_device(settings.device))
    return SimilarityScorer(encoder, settings)


def prepared_share() -> tuple[int, int]:
    """This process's (rank, number of processes) among those that prepare together."""
    if not any(os.environ.get(name) for name in ("WORLD_SIZE", "SLURM_STEP_NUM_TASKS")):
        return 0, 1
    from dplass_cli.devices import process_share  # imports torch

    return process_share()


def merge(options: MergeOptions) -> MergeResult:
    """Write one manifest with the wanted share of each source; each row says its ``source``.

    Raises:
        InputError: a manifest is unusable, or shares and manifests differ in number.
    """
    require_output(options.output, *options.manifests)
    return merge_manifests(options.manifests, options.output, options.share, options.seed)


def shards(options: ShardsOptions, progress: Progress = no_progress) -> ShardsResult:
    """Write the clips of a manifest into shards, with a manifest of their own.

    Raises:
        InputError: the manifest is unusable, the folder contains other shards, or too many clips cannot be read.
        RunError: the disk is full.
    """
    return write_shards(read_manifest(options.manifest), options, progress)


def mixtures(options: MixturesOptions) -> MixturesResult:
    """Write a table of mixtures of the clips of a manifest.

    Raises:
        InputError: the manifest is unusable, or lacks clips of unrelated sounds.
    """
    require_output(options.output, options.manifest)
    return draw_table(
        options.manifest, options.output, options.count, (options.snr[0], options.snr[1]), options.seed, options.sources
    )


def generate(options: GenerateOptions, progress: Progress = no_progress) -> GenerateResult:
    """Generate clips from a list of captions, with their manifest.

    Raises:
        InputError: the list, the pipeline or the encoder is unusable, an extra is missing, or no clip is left.
        RunError: the disk is full, or the pipeline makes samples that are not finite.
    """
    return generate_clips(options, similarity_scorer(options), progress)
