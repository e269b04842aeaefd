"""Compare ways of choosing an adapter without the true source, on a fold that no adapter was trained on.

    python scripts/try_policies.py WORK

WORK is that of train_tiny.py; its stage ``gains`` writes adapters trained without fold 3, and mixtures of fold 3.
Prints the table of docs/tiny.md: mean differences to the base in SDRi, ± 1.96 standard errors. Fold 4 is not read.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from dplass_cli.evaluation.conditions import Condition
from dplass_cli.evaluation.evaluator import EvaluatorSettings, ItemRun, PreparedItems, plan_runs
from dplass_cli.evaluation.items import Loaded, find_items, load_item
from dplass_cli.evaluation.metrics import batch_scores
from dplass_cli.options.model_options import ModelSpec
from dplass_cli.separation.loading import Models, load_models
from dplass_cli.separation.policies import Choice, Policy, make_policy
from dplass_cli.separation.refinement import TARGET_SHARE
from dplass_cli.storage import read_json
from tiny_models.networks import fast_precision
from tiny_models.selection_rules import RULES, AdapterOutputs, AllAdapters, IntArray, ScaledAdapter, cross_fitted
from tiny_models.selection_rules.base import products

BATCH = 8
PENALTIES = (0.005, 0.02, 0.08)
SHARES = (0.1, 0.15, 0.2, 0.25, 0.3)
BY_QUERY: tuple[Policy, ...] = (
    *map(make_policy, ("text", "blend")),
    *map(ScaledAdapter, (0.25, 0.5, 0.75)),
    *map(AllAdapters, (0.5, 1.0)),
)
INNER = (*map(make_policy, ("base", "text", "blend")), ScaledAdapter(0.5))
SETTINGS = EvaluatorSettings(
    seconds=None,
    batch_size=BATCH,
    workers=1,
    bfloat16=fast_precision() == "bf16-mixed",
    similarity=False,
    bss=False,
)

Scores = npt.NDArray[np.float64]


class Fold:
    """Mixtures of a fold, and the policies run on them."""

    def __init__(self, work: Path, models: Models) -> None:
        self.models = models
        mixtures = work / "gains" / "mixtures.csv"
        self._kinds = {sound["clip"].partition(":")[2]: sound["kind"] for sound in read_json(work / "sounds.json")}
        benchmark, _, self.items = find_items("custom", None, mixtures, None)
        rate = models.network.config.sample_rate
        self.loaded: list[Loaded] = [load_item(item, rate, benchmark.seconds) for item in self.items]
        self.mixtures = torch.stack([torch.from_numpy(audio.mixture) for audio in self.loaded])
        self.targets = torch.stack([torch.from_numpy(audio.reference) for audio in self.loaded])

    def runs(self, policy: Policy, refine: bool = False) -> list[ItemRun]:
        """The run of each item under a policy that chooses by the query."""
        plan = plan_runs(self.items, [Condition(policy, refine)], self.models)
        return [next(iter(plan[item.idx].values())) for item in self.items]

    @torch.inference_mode()
    def separate(self, runs: list[ItemRun]) -> torch.Tensor:
        """Separate every item under its run: float32 (N, T)."""
        outputs = []
        for first in range(0, len(self.items), BATCH):
            part = slice(first, first + BATCH)
            batch = PreparedItems(self.items[part], self.loaded[part], self.models, SETTINGS)
            outputs.append(batch.separate(runs[part])[0])
        return torch.cat(outputs)

    def sdri(self, outputs: torch.Tensor, part: slice = slice(None)) -> Scores:
        """Score outputs (N, T) of all items, or of a part: dB, float64 (N,)."""
        targets, mixtures = self.targets[part], self.mixtures[part]
        after, before = batch_scores(targets, outputs)[0], batch_scores(targets, mixtures)[0]
        improvement: Scores = (after - before).double().numpy()
        return improvement

    def refined(self, policy: Policy) -> Iterator[tuple[float, Scores]]:
        """SDRi (N,) of a policy with refinement, for each share of the target: (share, SDRi).

        An output is linear in the share, so two outputs determine all others.
        """
        plain, refined = self.separate(self.runs(policy)), self.separate(self.runs(policy, refine=True))
        for share in SHARES:
            yield share, self.sdri(torch.lerp(plain, refined, share / TARGET_SHARE))

    @torch.inference_mode()
    def adapter_outputs(self) -> AdapterOutputs:
        """What the outputs of the base and every adapter show, on every item."""
        encoder, rate = self.models.encoder, self.models.network.config.sample_rate
        keys = (None, *self.models.bank.keys)
        sdri, inner, embeddings, residuals = [], [], [], []
        for first in range(0, len(self.items), BATCH):  # all outputs at once need gigabytes
            part = slice(first, first + BATCH)
            items, mixtures, targets = self.items[part], self.mixtures[part], self.targets[part]
            batch = PreparedItems(items, self.loaded[part], self.models, SETTINGS)
            each = [batch.separate([ItemRun(key)] * len(items))[0] for key in keys]
            sdri.append(np.stack([self.sdri(output, part) for output in each], axis=1))
            outputs = torch.stack(each, dim=1)
            inner.append(products(targets, mixtures, outputs))
            embeddings += [encoder.embed_audio(output, rate) for output in outputs]
            residuals += [encoder.embed_audio(left, rate) for left in mixtures[:, None] - outputs]
        queries = encoder.embed_text([item.query for item in self.items])
        return AdapterOutputs(
            queries=queries,
            probabilities=torch.tensor([list(self.models.texts.probabilities(query).values()) for query in queries]),
            products=torch.cat(inner),
            mixture_embeddings=encoder.embed_audio(self.mixtures, rate),
            output_embeddings=torch.stack(embeddings),
            residual_embeddings=torch.stack(residuals),
            sdri=np.concatenate(sdri),
            clips=[item.files[0].name for item in self.items],
            kinds=[self._kinds[item.files[0].stem] for item in self.items],
            by_text=np.array(
                [1 + self.models.bank.keys.index(str(run.activation)) for run in self.runs(make_policy("text"))]
            ),
        )

    def by_audio(self, outputs: AdapterOutputs) -> IntArray:
        """The columns that the policy ``audio`` picks."""
        keys, policy = self.models.bank.keys, make_policy("audio")
        picked = []
        for query, embeddings in zip(outputs.queries, outputs.output_embeddings, strict=True):
            cosines = dict(zip(keys, (embeddings[1:] @ query).tolist(), strict=True))
            picked.append(
                1 + keys.index(str(policy.choose(Choice(query, self.models.bank, self.models.texts, cosines))))
            )
        return np.array(picked)


def print_row(name: str, scores: Scores, base: Scores) -> None:
    """Print a row of the table."""
    difference = scores - base
    error = 1.96 * difference.std(ddof=1) / len(difference) ** 0.5
    print(f"| {name} | {scores.mean():.2f} | {difference.mean():+.2f} ± {error:.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    arguments = parser.parse_args()
    folder = arguments.work / "gains" / "models"
    models = load_models(
        ModelSpec(base=folder / "base.safetensors", encoder=folder / "encoder.safetensors", adapters=(folder / "bank",))
    )
    fold = Fold(arguments.work, models)
    outputs = fold.adapter_outputs()
    base = outputs.sdri[:, 0]
    print(f"{len(base)} mixtures\n\n| method | SDRi (dB) | difference to the base (dB) |\n|---|---:|---:|")
    print_row("base", base, base)
    every = np.arange(len(base))
    for name, choose in RULES.items():
        print_row(name, outputs.sdri[every, choose(outputs)], base)
    for penalty in PENALTIES:
        blends = cross_fitted(outputs, penalty)
        for refine in (False, True):
            fitted = [
                ItemRun(blend.choose(Choice(query, models.bank, models.texts)), blend if refine else None)
                for blend, query in zip(blends, outputs.queries, strict=True)
            ]
            name = f"fitted blend, penalty {penalty}{'+residual' * refine}"
            print_row(name, fold.sdri(fold.separate(fitted)), base)
    for policy in BY_QUERY:
        print_row(policy.name, fold.sdri(fold.separate(fold.runs(policy))), base)
    print_row("audio", outputs.sdri[every, fold.by_audio(outputs)], base)
    for inner in INNER:
        for share, scores in fold.refined(inner):
            print_row(f"{inner.name}+residual, share {share}", scores, base)
    print_row("oracle of the adapters", outputs.sdri[:, 1:].max(axis=1), base)
    print_row("oracle, base included", outputs.sdri.max(axis=1), base)


if __name__ == "__main__":
    main()
