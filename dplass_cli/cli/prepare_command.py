"""``dplass prepare KIND``: other corpora to a training manifest, and several manifests to one."""

from __future__ import annotations

import typer

from dplass_cli.cli.commands import add_command
from dplass_cli.cli.console import VerbRun
from dplass_cli.cli.prepare_audioset_command import tables
from dplass_cli.data.prepare.corpora import CORPORA
from dplass_cli.options.prepare_options import (
    CorpusOptions,
    GenerateOptions,
    MergeOptions,
    MixturesOptions,
    ShardsOptions,
)

app = typer.Typer(no_args_is_help=True)


def _prepare(options: CorpusOptions, run: VerbRun) -> None:
    from dplass_cli.pipelines.prepare import prepare_corpus

    result = prepare_corpus(options, run.progress)
    run.result(result, lambda: tables(result))


def _merge(options: MergeOptions, run: VerbRun) -> None:
    """Merge several manifests, all rows of each or in shares.

    Example: dplass prepare merge real.json generated.json --share 1 --share 3 --output train.json
    """
    from dplass_cli.pipelines.prepare import merge

    result = merge(options)
    rows = [[source.manifest, source.rows, source.used, source.repeated] for source in result.sources]
    run.table(result, ["from", "rows", "used", "of them repeated"], rows, f"{result.manifest}: {result.rows} rows")


def _mixtures(options: MixturesOptions, run: VerbRun) -> None:
    """Draw a table of mixtures from a manifest, for evaluate --metadata-csv.

    No clip of a mixture has a caption or label that names the same sound as another's, or one that contains it in
    AudioSet's ontology (a bark is a dog), so that the query means only one of them.

    Example: dplass prepare mixtures test.json --count 500 --snr=-5,5 --sources 2,3 --output mixtures.csv
    """
    from dplass_cli.pipelines.prepare import mixtures

    result = mixtures(options)
    rows = [[result.table, result.mixtures, result.captions, result.clips]]
    run.table(result, ["table", "mixtures", "captions", "clips"], rows)


def _shards(options: ShardsOptions, run: VerbRun) -> None:
    """Write the clips of a manifest into tar files (WebDataset shards), on disk or at s3://, gs:// or hf://.

    Each clip is a flac or wav with a JSON file. The folder's manifest.json is read by embed, partition and prepare
    mixtures like any other, also at an address. Run the command again to resume.

    Example: dplass prepare shards train.json --output shards --size 1GB
    """
    from dplass_cli.pipelines.prepare import shards

    result = shards(options, run.progress)
    row = [result.manifest, result.shards, result.written, result.clips, result.rows, round(result.bytes / 1e6, 1)]
    columns = ["manifest", "shards", "written now", "clips", "rows", "MB"]
    run.table(result, columns, [row])
    if result.rejected:
        rejects = f"{result.manifest.removesuffix('manifest.json')}rejects.csv"
        run.note(f"{result.rejected:,} clips cannot be read and were left out; {rejects} lists them")


def _generate(options: GenerateOptions, run: VerbRun) -> None:
    """Generate clips from captions by a text-to-audio pipeline of AudioLDM's family.

    The folder gets a file per clip, such as a_dog_barking_1.wav, and manifest.json with "source": "generated". Run the
    command again to resume.

    Example: dplass prepare generate captions.txt --model cvssp/audioldm2 --output generated --per-caption 3
    """
    from dplass_cli.pipelines.prepare import generate

    result = generate(options, run.progress)
    row = [result.manifest, result.captions, result.clips, result.generated, result.rows]
    run.table(result, ["manifest", "captions", "clips", "generated now", "rows"], [row])
    if result.rejected:
        run.note(f"{result.rejected:,} clips were rejected; {result.manifest.with_name('rejects.csv')} lists them")


for _kind, _corpus in CORPORA.items():
    if _corpus.verb:  # it has a verb of its own
        continue
    _help = f"{_corpus.what} ({_corpus.source}).\n\nExample: dplass prepare {_kind} FOLDER --output train.json"
    add_command(app, _kind, _prepare, given={"kind": _kind}, help=_help)
add_command(app, "merge", _merge)
add_command(app, "mixtures", _mixtures)
add_command(app, "shards", _shards, interrupted="complete shards are kept; run the same command again to resume")
add_command(app, "generate", _generate, interrupted="complete clips are kept; run the same command again to resume")
