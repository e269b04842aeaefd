"""The domains of a bank as points of the encoder's space."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_banks import CAPTIONS

from dplass_cli.options.model_options import ModelSpec
from dplass_cli.separation.loading import Models, load_models


@pytest.fixture(scope="module")
def models(small_bank: tuple[Path, Path]) -> Models:
    return load_models(ModelSpec(base=small_bank[0], encoder="tiny", adapters=(small_bank[1],)))


def test_the_keys_are_those_of_the_bank(models: Models) -> None:
    assert models.texts.keys == ["domain0", "domain1", "domain2"]


def test_the_centroids_are_those_of_the_bank(models: Models) -> None:
    expected = [domain.text_centroid.numpy() for domain in models.bank.domains.values()]
    np.testing.assert_array_equal(models.texts.centroids, np.stack(expected).astype(np.float64))


def test_captions_are_embedded_and_belong_to_their_domains(models: Models) -> None:
    captions = [caption for of_domain in CAPTIONS.values() for caption in of_domain]
    np.testing.assert_allclose(models.texts.captions, models.encoder.embed_text(captions).numpy(), atol=1e-6)
    assert models.texts.owners.tolist() == [number for number, names in CAPTIONS.items() for _ in names]


@pytest.mark.parametrize("number", CAPTIONS)
def test_a_caption_is_most_probable_in_its_domain(models: Models, number: int) -> None:
    probabilities = models.texts.probabilities(models.encoder.embed_text([CAPTIONS[number][0]])[0])
    assert sum(probabilities.values()) == pytest.approx(1.0)
    assert max(probabilities, key=probabilities.__getitem__) == f"domain{number}"


def test_without_domains_all_sounds_are_one_group(small_bank: tuple[Path, Path]) -> None:
    models = load_models(ModelSpec(base=small_bank[0], encoder="tiny"))
    assert models.texts.sounds() == {"sounds": sorted(models.encoder.kinds)}
