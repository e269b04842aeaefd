"""``dplass domains``: assign sentences to the domains of a partition, and compare two partitions."""

from __future__ import annotations

import typer

from dplass_cli.cli.commands import add_command
from dplass_cli.cli.console import VerbRun
from dplass_cli.options.domains_options import DomainsAssignOptions, DomainsCompareOptions

app = typer.Typer(no_args_is_help=True)


def _assign(options: DomainsAssignOptions, run: VerbRun) -> None:
    """Print the domain of new sentences, with the probability of each domain.

    Example: dplass domains assign "a kettle boiling" --partition partition
    """
    from dplass_cli.pipelines.domains import assign_sentences
    from dplass_cli.weights.named_models import resolve_model

    model = resolve_model(options.model)
    given = (str(model.encoder or model.base), model.tokenizer, model.device, model.trust)
    assigned = assign_sentences(options.sentences, options.partition, *given)
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
    run.table(assigned, ["sentence", "domain", "probability", "nearest caption", "all domains"], rows)


def _compare(options: DomainsCompareOptions, run: VerbRun) -> None:
    """Compare two partitions of the same captions: measures of agreement, and which captions moved.

    Example: dplass domains compare partition other
    """
    from dplass_cli.pipelines.domains import compare_partitions

    found = compare_partitions(options.first, options.second)
    rows = [[caption, before, after] for caption, (before, after) in found.moved.items()]
    title = (
        f"{found.captions} captions: adjusted Rand {found.adjusted_rand:.3f}, normalised mutual information"
        f" {found.mutual_information:.3f}, {len(rows)} moved"
    )
    run.table(found, ["moved caption", "domain before", "domain after"], rows, title)
    for name, missing in (("first", found.only_first), ("second", found.only_second)):
        if missing:
            run.note(f"{len(missing)} captions are in the {name} partition only")


add_command(app, "assign", _assign)
add_command(app, "compare", _compare)
