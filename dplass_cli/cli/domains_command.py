"""``dplass domains``: ask a partition about sentences, and compare two partitions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dplass_cli.cli.console import Json, Tokenizer, Trust, Verbose, plain_table, verb

app = typer.Typer(no_args_is_help=True, help="Ask a partition about sentences, and compare two partitions.")

Folder = Annotated[Path, typer.Argument(help="A partition folder.")]


@app.command("assign")
def assign(
    sentences: Annotated[list[str], typer.Argument(help="What to find the domain of.")],
    partition: Annotated[Path, typer.Option(help="The partition folder.")],
    encoder: Annotated[str, typer.Option(help="The encoder it was made with: tiny or a file.")] = "tiny",
    tokenizer: Tokenizer = None,
    trust: Trust = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Tell the domain of new sentences, with the probability of each domain.

    Example: dplass domains assign "a kettle boiling" --partition partition
    """
    with verb(json, verbose) as run:
        from dplass_cli.pipelines.domains import assign_sentences

        assigned = assign_sentences(sentences, partition, encoder, tokenizer, device, bool(trust))
        rows = [
            [
                item.sentence,
                f"{item.domain} {item.name}",
                f"{item.probabilities[item.domain]:.0%}",
                item.nearest_caption,
                " ".join(f"{id}:{probability:.0%}" for id, probability in item.probabilities.items()),
            ]
            for item in assigned
        ]
        columns = ["sentence", "domain", "probability", "nearest caption", "all domains"]
        run.result(assigned, lambda: plain_table("", columns, rows))


@app.command("compare")
def compare(first: Folder, second: Folder, json: Json = False, verbose: Verbose = False) -> None:
    """Compare two partitions of the same captions: indices of agreement, and which captions moved.

    Example: dplass domains compare partition other
    """
    with verb(json, verbose) as run:
        from dplass_cli.pipelines.domains import compare_partitions

        found = compare_partitions(first, second)
        rows = [[caption, str(before), str(after)] for caption, (before, after) in found.moved.items()]
        title = (
            f"{found.captions} captions: adjusted Rand {found.adjusted_rand:.3f}, normalised mutual information"
            f" {found.mutual_information:.3f}, {len(rows)} moved"
        )
        run.result(found, lambda: plain_table(title, ["moved caption", "domain before", "domain after"], rows))
        for name, lost in (("first", found.only_first), ("second", found.only_second)):
            if lost:
                run.note(f"{len(lost)} captions are in the {name} partition only")
