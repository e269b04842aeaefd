"""The tables and the HTML page about a head that ``tag --fit`` has fitted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from markupsafe import Markup

from dplass_cli.evaluation.table import Figure, Table
from dplass_cli.reports.page import Provenance, Section, picture, result_table, table, write_page
from dplass_cli.reports.plots import new_figure, png
from dplass_cli.tagging.head_fitting import HeadFigures
from dplass_cli.tagging.head_scores import HeadScores

_SCORES = ("clips", "accuracy", "macro F1", "mAP")


def head_tables(figures: HeadFigures, key: str) -> list[Table]:
    """All test clips and those of each group, labels, and fractions; tables without rows are left out.

    Args:
        figures: what the head reaches.
        key: of the manifest, by whose values clips are grouped.
    """
    groups: list[list[str | Figure]] = [
        [name, *_cells(scores)] for name, scores in {"all": figures.test, **figures.groups}.items()
    ]
    classes: list[list[str | Figure]] = [
        [
            label,
            Figure(each.clips, "d"),
            Figure(each.precision, ".3f"),
            Figure(each.recall, ".3f"),
            Figure(each.f1, ".3f"),
            Figure(each.average_precision, ".3f"),
        ]
        for label, each in figures.classes.items()
    ]
    fractions: list[list[str | Figure]] = [
        [f"{percent}%", Figure(figures.fraction_clips[percent], "d"), *_cells(scores)[1:]]
        for percent, scores in figures.fractions.items()
    ]
    tables = [
        Table("Test clips", (key if figures.groups else "", *_SCORES), groups),
        Table("Labels", ("label", "clips", "precision", "recall", "F1", "AP"), classes),
        Table("Share of the training clips", ("share", *_SCORES), fractions),
    ]
    return [each for each in tables if each.rows]


def _cells(scores: HeadScores) -> list[Figure]:
    values = (scores.accuracy, scores.macro_f1, scores.map)
    return [Figure(scores.clips, "d"), *(Figure(value, ".3f") for value in values)]


def write_head_report(
    path: Path, figures: HeadFigures, key: str, failed: Mapping[str, str], provenance: Provenance
) -> None:
    """Write the page, atomically; ``failed`` is {file: why it could not be embedded}.

    Raises:
        InputError: the folder cannot be written.
    """
    kind = "exactly one" if figures.exclusive else "any number"
    lead = [
        f"{len(figures.labels)} labels, {kind} of them per clip. Fitted on {figures.training_clips} clips, measured on"
        f" {figures.test.clips} others."
    ]
    sections = [Section(each.title, [result_table(each)]) for each in head_tables(figures, key)]
    if len(figures.fractions) > 1:
        sections[-1] = Section(sections[-1].title, [*sections[-1].parts, _curve(figures)])
    left_out = [[file, reason] for file, reason in failed.items()]
    sections.append(Section("Left out", [table(["file", "reason"], left_out)] if left_out else []))
    test = figures.test
    verdict = f"Accuracy {test.accuracy:.1%}, macro F1 {test.macro_f1:.3f}, mAP {test.map:.3f}."
    write_page(path, "Tagging head", lead, sections, verdict, provenance)


def _curve(figures: HeadFigures) -> Markup:
    """Accuracy and mAP by the number of training clips."""
    clips = sorted(figures.fractions, key=lambda percent: figures.fraction_clips[percent])
    figure, axes = new_figure(5.6, 3.0)
    for name, values in {
        "accuracy": [figures.fractions[percent].accuracy for percent in clips],
        "mAP": [figures.fractions[percent].map for percent in clips],
    }.items():
        axes.plot([figures.fraction_clips[percent] for percent in clips], values, "o-", label=name)
    axes.set_xlabel("training clips")
    axes.set_ylim(0.0, 1.0)
    axes.legend()
    return picture(png(figure), "Accuracy and mAP by the number of training clips")
