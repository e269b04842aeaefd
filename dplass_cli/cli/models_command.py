"""``dplass models``: models by name."""

from __future__ import annotations

from dplass_cli.cli.console import VerbRun
from dplass_cli.options.models_options import ModelsOptions


def command(options: ModelsOptions, run: VerbRun) -> None:
    """List the models that --model can name: figures, size, licence, and whether they are there.

    Example: dplass models
    """
    if options.costs:
        from dplass_cli.pipelines.model_costs import costs_table, model_costs

        costs = model_costs()
        run.result(costs, lambda: costs_table(costs).rich())
        return
    from dplass_cli.weights.named_models import list_models

    listed = list_models()
    rows = []
    for item in listed:
        size = f"{item.size / 1e9:.2g} GB" if item.size else "unknown" if item.model.fetch else "bundled"
        state = "there" if not item.missing else f"dplass weights fetch {item.name}"
        rows.append([item.name, item.model.what, item.model.figures, size, item.model.licence, state])
    run.table(listed, ["name", "what", "SDRi", "size", "licence", "state"], rows, left=6)
    for item in listed:
        if item.model.note:
            run.note(f"{item.name}: {item.model.note}")
