"""``audio``: the adapter whose output is most similar to the query."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from made_choices import KEYS, choice

from dplass_cli import Separator
from dplass_cli.separation.policies import make_policy


def test_the_largest_similarity_wins_and_the_first_on_ties() -> None:
    similarities = {"domain0": 0.1, "domain1": 0.3, "domain2": 0.3}
    assert make_policy("audio").choose(choice(similarities=similarities)) == "domain1"


def test_the_output_of_every_adapter_on_a_recording_is_compared(small_bank: tuple[Path, Path]) -> None:
    by_audio, single = (
        Separator.from_pretrained(small_bank[0], "tiny", small_bank[1], policy=policy, device="cpu")
        for policy in ("audio", "base")
    )
    mixture = np.random.default_rng(0).normal(0, 0.1, (2, 40000)).astype(np.float32)
    target = by_audio(mixture, 32000, ["rain"])["rain"]
    query = single.encoder.embed_text(["rain"])[0]
    outputs, similarities = {}, {}
    for key in KEYS:
        single.policy = make_policy(f"single:{key}")
        outputs[key] = single(mixture, 32000, ["rain"])["rain"]
        mono = torch.from_numpy(outputs[key]).mean(dim=0)[None]
        similarities[key] = float(single.encoder.embed_audio(mono, 32000)[0] @ query)
    np.testing.assert_array_equal(target, outputs[max(similarities, key=similarities.__getitem__)])
