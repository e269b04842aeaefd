"""``dplass retrieve``: the sounds of a manifest that sentences describe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dplass_cli.cli.console import VerbRun, plain_table
from dplass_cli.options.retrieve_options import RetrieveOptions

if TYPE_CHECKING:
    from dplass_cli.pipelines.retrieve import RetrieveResult


def command(options: RetrieveOptions, run: VerbRun) -> None:
    """Find the sounds of a manifest that are nearest to a sentence.

    Example: dplass retrieve "a dog barking" --data train.json --cache embeddings
    """
    from dplass_cli.pipelines.retrieve import retrieve

    result = retrieve(options, run.progress)
    run.result(result, lambda: _tables(result))
    run.some_failed(result.failed.values())


def _tables(result: RetrieveResult) -> Any:
    from rich.console import Group

    tables = []
    for query, found in result.found.items():
        rows = [[sound.rank, sound.wav, " | ".join(sound.captions), f"{sound.similarity:.3f}"] for sound in found]
        tables.append(plain_table(["", "sound", "captions", "similarity"], rows, query, left=3))
    if result.evaluation is not None:
        scored = result.evaluation
        recall = (f"{share:.1%}" for share in scored.recall.values())
        cells = [*recall, f"{scored.map10:.3f}", f"{scored.median_rank:g}", scored.queries, scored.sounds]
        columns = [*(f"R@{k}" for k in scored.recall), "mAP@10", "median rank", "captions", "sounds"]
        tables.append(plain_table(columns, [cells], "Text to audio", left=0))
    return Group(*tables)
