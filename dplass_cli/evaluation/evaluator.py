"""The one evaluator: every item is read, transformed and embedded once, then every adapter runs on it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from dplass_cli.data.mixtures import Mixture, render
from dplass_cli.evaluation.metrics import sdr, si_sdr
from dplass_cli.separation.loading import Models
from dplass_cli.storage import Progress, Records

BASE = "base"
COLUMNS = ("idx", "caption", "adapter", "sdr_mixture", "sdr", "sdri", "si_sdr", "si_sdri")


def evaluate_mixtures(
    mixtures: Sequence[Mixture],
    models: Models,
    records: Records,
    seconds: float,
    batch_size: int,
    progress: Progress,
) -> int:
    """Score the base and every adapter on every mixture, a row each; items with rows in ``records`` are skipped.

    SI-SDR is reported as such by the published evaluations; ``si_sdri`` is beside it. An item whose reference is silent
    has no SDR: it gets no row.

    Returns:
        The number of items with a silent reference.
    """
    keys: list[str | None] = [None, *models.bank.keys]
    counts: dict[str, int] = {}
    for row in records.rows:
        counts[row["idx"]] = counts.get(row["idx"], 0) + 1
    open_items = [mixture for mixture in mixtures if counts.get(mixture.idx, 0) < len(keys)]
    silent = 0
    done = len(mixtures) - len(open_items)
    for start in range(0, len(open_items), batch_size):
        progress(done + start, len(mixtures), "mixtures")
        batch = open_items[start : start + batch_size]
        rendered = [render(mixture, models.network.config.sample_rate, seconds) for mixture in batch]
        audible = [(m, *pair) for m, pair in zip(batch, rendered, strict=True) if np.any(pair[1])]
        silent += len(batch) - len(audible)
        if audible:
            records.append(_score_batch(audible, models, keys))
    progress(len(mixtures), len(mixtures), "mixtures")
    return silent


@torch.inference_mode()
def _score_batch(
    items: Sequence[tuple[Mixture, np.ndarray, np.ndarray]],  # type: ignore[type-arg]
    models: Models,
    keys: Sequence[str | None],
) -> list[dict[str, object]]:
    network, bank = models.network, models.bank
    device = next(network.parameters()).device
    condition = models.encoder.embed_text([item.source.caption for item, _, _ in items]).to(device)
    analysis = network.analyse(torch.from_numpy(np.stack([mixed for _, mixed, _ in items]))[:, None].to(device))
    rows: list[dict[str, object]] = []
    for key in keys:
        bank.activate(key)
        estimates = network(analysis, condition)[:, 0].cpu().numpy()
        for (item, mixed, target), estimate in zip(items, estimates, strict=True):
            before, after = sdr(target, mixed), sdr(target, estimate)
            after_si = si_sdr(target, estimate)
            rows.append(
                {
                    "idx": item.idx,
                    "caption": item.source.caption,
                    "adapter": key or BASE,
                    "sdr_mixture": round(before, 4),
                    "sdr": round(after, 4),
                    "sdri": round(after - before, 4),
                    "si_sdr": round(after_si, 4),
                    "si_sdri": round(after_si - si_sdr(target, mixed), 4),
                }
            )
    bank.activate(None)
    return rows
