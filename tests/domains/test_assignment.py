"""Probabilities of domains for sentences."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.special
import torch
from scipy.special import log_softmax
from typer.testing import CliRunner

from dplass_cli.cli import app
from dplass_cli.domains.assignment import domain_probabilities, fit_temperature
from dplass_cli.domains.features import text_features, unit
from dplass_cli.domains.partition_folder import Domain, Partition, mean_direction
from dplass_cli.encoders import load_encoder

GROUPS = (("a dog barking", "a puppy", "dogs growling"), ("rain falling", "heavy rain", "drizzle"), ("a siren",))


def partition_of(groups: tuple[tuple[str, ...], ...]) -> Partition:
    encoder = load_encoder()
    domains = tuple(Domain(3 * n, group[0], group, len(group)) for n, group in enumerate(groups))
    centroids = [mean_direction(text_features(group, encoder)) for group in groups]
    rows = torch.from_numpy(np.stack(centroids)).float()
    return Partition(domains, rows, rows.clone(), encoder.name, encoder.fingerprint)


def test_probabilities_are_a_distribution_and_follow_the_cosines() -> None:
    generator = np.random.default_rng(0)
    embeddings, centroids = (unit(generator.normal(size=(n, 8))) for n in (20, 5))
    probabilities = domain_probabilities(embeddings, centroids, 0.1)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), (embeddings @ centroids.T).argmax(axis=1))
    np.testing.assert_allclose(domain_probabilities(embeddings, centroids, 1e6), 0.2, atol=1e-5)


def test_each_caption_is_compared_with_the_others_of_its_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(2)
    ids = np.array([0, 0, 1, 1, 1, 2])
    embeddings, centroids = unit(generator.normal(size=(6, 8))), unit(generator.normal(size=(3, 8)))
    seen: list[np.ndarray] = []  # type: ignore[type-arg]
    monkeypatch.setattr(
        scipy.special, "log_softmax", lambda scores, axis: seen.append(scores) or log_softmax(scores, axis=axis)
    )
    fit_temperature(embeddings, ids, centroids)
    expected = embeddings @ centroids.T
    for row, own in enumerate(ids):
        others = [embeddings[other] for other in range(6) if ids[other] == own and other != row]
        expected[row, own] = embeddings[row] @ unit(np.mean(others, axis=0)) if others else 0.0
    np.testing.assert_allclose(seen[0] / seen[0][0, 1] * expected[0, 1], expected, atol=1e-12)


@pytest.mark.parametrize("spread", [0.2, 1.0, 3.0])
def test_fitted_probabilities_equal_the_rate_of_correct_answers(spread: float) -> None:
    """On new points of the same groups, the chosen domains are as probable as they are often right."""
    generator = np.random.default_rng(1)
    directions = unit(generator.normal(size=(6, 16)))

    def points(count: int) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
        ids = generator.integers(0, 6, count)
        return unit(directions[ids] + spread * generator.normal(size=(count, 16)) / 4), ids

    known, ids = points(300)
    centroids = np.stack([mean_direction(known[ids == id]) for id in range(6)])
    new, truth = points(3000)
    probabilities = domain_probabilities(new, centroids, fit_temperature(known, ids, centroids))
    right = (probabilities.argmax(axis=1) == truth).mean()
    assert abs(probabilities.max(axis=1).mean() - right) < 0.1


def test_assign_names_the_domain_by_its_own_id(tmp_path: Path) -> None:
    partition_of(GROUPS).save(tmp_path)
    asked = ["a barking dog", "rain on a roof", "a siren"]
    done = CliRunner().invoke(app, ["domains", "assign", *asked, "--partition", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.output
    assigned = json.loads(done.stdout)
    assert [item["domain"] for item in assigned] == [0, 3, 6]
    assert [item["name"] for item in assigned] == ["a dog barking", "rain falling", "a siren"]
    for item in assigned:
        assert item["probabilities"].keys() == {"0", "3", "6"}
        assert sum(item["probabilities"].values()) == pytest.approx(1.0)
        assert max(item["probabilities"], key=item["probabilities"].get) == str(item["domain"])
    assert assigned[2]["nearest_caption"] == "a siren"
    table = CliRunner().invoke(app, ["domains", "assign", "a dog", "--partition", str(tmp_path)])
    assert "0 a dog barking" in table.stdout


def test_assign_refusals(tmp_path: Path) -> None:
    partition_of(GROUPS).save(tmp_path)
    description = json.loads((tmp_path / "partition.json").read_text())
    for arguments, message in (((" ",), "no sentence to assign"), (("a", "--partition", "none"), "none")):
        given = ["domains", "assign", *arguments]
        done = CliRunner().invoke(app, given if "--partition" in given else [*given, "--partition", str(tmp_path)])
        assert done.exit_code == 2
        assert message in done.stderr
    description["encoder"]["fingerprint"] = "0" * 64
    (tmp_path / "partition.json").write_text(json.dumps(description))
    done = CliRunner().invoke(app, ["domains", "assign", "a", "--partition", str(tmp_path)])
    assert "was made with another encoder (tiny, 000000000000…)" in done.stderr
