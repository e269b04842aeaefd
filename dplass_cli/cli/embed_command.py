"""``dplass embed``: audio embeddings of a manifest's clips, stored on disk."""

from __future__ import annotations

from dplass_cli.cli.console import VerbRun
from dplass_cli.options.embed_options import EmbedOptions

interrupted = "embedded clips are kept; run the same command again"


def command(options: EmbedOptions, run: VerbRun) -> None:
    """Embed a manifest's clips; existing embeddings are kept. Under torchrun, each process embeds a share.

    Example: dplass embed train.json --output embeddings
    """
    from dplass_cli.pipelines.embed import embed

    result = embed(options, run.progress)
    counts = [result.rows, result.clips, result.hits, result.embedded, len(result.failed)]
    run.table(result, ["manifest rows", "clips of this share", "found", "embedded", "failed"], [counts])
    if not result.complete:
        run.note("other shares of this manifest are not done yet; the last process writes rows.npy")
    run.some_failed(result.failed.values())
