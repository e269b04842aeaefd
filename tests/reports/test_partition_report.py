"""The report of a partition: its tables, warnings, pictures, and the clips that can be played."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from dplass_cli.audio.writing import write_audio
from dplass_cli.data.manifest import Row
from dplass_cli.domains.features import CaptionFeatures
from dplass_cli.domains.partition_folder import Domain, Partition
from dplass_cli.domains.partitioning import PartitionResult
from dplass_cli.domains.quality import Quality
from dplass_cli.options.partition_options import PartitionOptions
from dplass_cli.reports.partition_report import verdict, why_this_many, write_report

CAPTIONS = ("bark", "growl", "rain <b>", "wind")


class Report(NamedTuple):
    """What a report is written of."""

    result: PartitionResult
    features: CaptionFeatures
    rows: dict[int, list[Row]]
    warnings: tuple[str, ...] = ()


@pytest.fixture
def report(tmp_path: Path) -> Report:
    """Two domains of two captions; one clip per caption, of which that of the wind does not exist."""
    rows = [Row(tmp_path / f"{number}.wav", caption, id=str(number)) for number, caption in enumerate(CAPTIONS)]
    for row in rows[:3]:
        write_audio(row.wav, 0.1 * np.ones((1, 800), np.float32), 8000)
    domains = (Domain(0, "Dogs", CAPTIONS[:2], 7, ("bark",)), Domain(3, "Weather", CAPTIONS[2:], 5, ("wind",)))
    centroids = torch.tensor([[0.8, 0.6, 0.0, 0.0], [0.0, 0.0, 0.6, 0.8]])
    partition = Partition(domains, centroids, centroids, "tiny", "e", {"method": "kmeans"}, seed=5)
    result = PartitionResult(
        tmp_path, partition, {0: 6, 3: 4}, {0: 1, 3: 2}, Quality(2, 0.123, 0.5, 0.25), numbers=(), unmatched=()
    )
    features = CaptionFeatures(CAPTIONS, np.array([4, 3, 3, 2]), np.eye(4), np.eye(4)[::-1].copy())
    return Report(result, features, {0: rows[:2], 3: rows[2:]})


def write(folder: Path, report: Report) -> None:
    result = replace(report.result, folder=folder)
    options = PartitionOptions(manifest=folder / "train.json", output=folder, features="audio")
    write_report(result, report.features, np.array([0, 0, 3, 3]), report.rows, report.warnings, options)


def written(folder: Path, report: Report) -> str:
    write(folder, report)
    return (folder / "report.html").read_text(encoding="utf-8")


def lines(page: str, title: str) -> list[list[str]]:
    """The rows of the first table below a heading, as texts."""
    part = re.split(rf"<h2[^>]*>{title}</h2>", page)[1].split("</table>")[0]
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", line, re.DOTALL) for line in part.split("<tr")]
    return [[re.sub(r"<[^>]*>", "", cell).strip() for cell in row] for row in cells if row]


def test_the_page_and_its_pictures_are_written(report: Report, tmp_path: Path) -> None:
    write(tmp_path, report)
    assert {path.name for path in tmp_path.glob("*.png")} == {"clusters.png", "sizes.png", "similarity.png"}


def test_judged_numbers_of_domains_get_a_picture(report: Report, tmp_path: Path) -> None:
    judged = (report.result.quality, Quality(3, 0.2, 0.4, 0.3, 0.9, 0.8))
    write(tmp_path, report._replace(result=replace(report.result, numbers=judged)))
    assert (tmp_path / "quality.png").is_file()


def test_the_lead_counts_captions_and_clips_and_names_the_method(report: Report, tmp_path: Path) -> None:
    page = written(tmp_path, report)
    assert "4 captions of 12 clips, by kmeans." in page
    assert "Features: audio, of the encoder tiny; seed 5." in page


def test_a_domain_has_its_counts_and_its_most_similar_domain(report: Report, tmp_path: Path) -> None:
    dogs, weather = lines(written(tmp_path, report), "Domains")
    assert dogs == ["0 Dogs", "bark (1); growl (1)", "2", "7", "6", "1", "3 Weather"]
    assert weather == ["3 Weather", "wind (1); rain &lt;b&gt; (1)", "2", "5", "4", "2", "0 Dogs"]


def test_a_caption_has_its_cosine_and_its_second_nearest_domain(report: Report, tmp_path: Path) -> None:
    assert lines(written(tmp_path, report), "Captions")[0] == ["bark", "0 Dogs", "4", "0.800", "3 Weather"]


def test_the_most_frequent_captions_of_a_domain_come_first(report: Report, tmp_path: Path) -> None:
    more = [Row(tmp_path / "1.wav", "growl", id=str(number)) for number in range(10, 13)]
    page = written(tmp_path, report._replace(rows={**report.rows, 0: [*report.rows[0], *more]}))
    assert lines(page, "Domains")[0][1] == "growl (4); bark (1)"


def test_the_page_names_command_and_encoder(report: Report, tmp_path: Path) -> None:
    page = re.sub(r"</?span>", "", written(tmp_path, report))
    assert f"<code>dplass partition {tmp_path}/train.json --output {tmp_path}</code>" in page
    assert re.search(r"<dt>Date</dt><dd>\d{4}-\d\d-\d\d \d\d:\d\d UTC</dd>", page)
    assert "encoder tiny (e)" in page


@pytest.mark.parametrize(
    ("quality", "words"),
    [
        (Quality(2, 0.6, 0.5, 0.2), "reasonable structure (silhouette 0.60); their stability was not measured"),
        (Quality(2, 0.1, 0.5, 0.2, 0.9, 0.8), "no substantial structure (silhouette 0.10); stable across"),
        (Quality(2, 0.8, 0.5, 0.2, 0.9, 0.5), "strong structure (silhouette 0.80); not stable across"),
        (Quality(2, None, None, None), "too few to measure"),
    ],
)
def test_the_verdict_says_how_distinct_and_stable_the_domains_are(report: Report, quality: Quality, words: str) -> None:
    sentence = verdict(replace(report.result, quality=quality))
    assert words in sentence
    assert sentence.startswith("2 domains")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"domains": 7}, "Seven is the number of domains of the published method"),
        ({"domains": 2}, "2 domains are what --domains asks for; it was not compared"),
        ({"domains": "auto"}, "best silhouette of the stable ones"),
        ({"method": "hdbscan"}, "found by hdbscan"),
        ({"import_file": Path("theirs.json")}, "that of theirs.json"),
    ],
)
def test_the_reason_for_the_number_of_domains_is_given(report: Report, given: dict[str, object], words: str) -> None:
    options = PartitionOptions(Path("train.json"), Path("out"), **given)  # type: ignore[arg-type]
    result = report.result
    if given.get("domains") == 7:
        domains = tuple(replace(result.partition.domains[0], id=number) for number in range(7))
        result = replace(result, partition=replace(result.partition, domains=domains))
    assert words in why_this_many(result, options)


def test_the_number_that_auto_would_choose_is_named_where_it_was_measured(report: Report) -> None:
    numbers = (Quality(2, 0.2, 0.4, 0.3, 0.9, 0.9), Quality(3, 0.4, 0.4, 0.3, 0.9, 0.9))
    options = PartitionOptions(Path("train.json"), Path("out"), domains=2)
    assert "--domains auto would choose 3" in why_this_many(replace(report.result, numbers=numbers), options)
    assert "would choose the same" in why_this_many(replace(report.result, numbers=numbers[:1]), options)


def test_captions_are_escaped(report: Report, tmp_path: Path) -> None:
    page = written(tmp_path, report)
    assert "rain &lt;b&gt;" in page
    assert "rain <b>" not in page


def test_clips_that_can_be_read_are_played(report: Report, tmp_path: Path) -> None:
    assert written(tmp_path, report).count("<audio") == 3


def test_a_domain_without_readable_clips_says_so(report: Report, tmp_path: Path) -> None:
    (tmp_path / "2.wav").unlink()
    page = written(tmp_path, report)
    assert page.count("<audio") == 2
    assert "No clip of this domain can be read." in page


def test_warnings_are_shown(report: Report, tmp_path: Path) -> None:
    assert "domain 0 is large" in written(tmp_path, report._replace(warnings=("domain 0 is large",)))


def test_captions_that_an_import_does_not_contain_are_listed(report: Report, tmp_path: Path) -> None:
    page = written(tmp_path, report._replace(result=replace(report.result, unmatched=("wind",))))
    assert "Not in the imported partition, so in the nearest domain: wind" in page
