"""The bundled models on real recordings."""

from __future__ import annotations

from pathlib import Path

from dplass_cli.options.evaluate_options import EvaluateOptions
from dplass_cli.pipelines.evaluate import evaluate


def test_bundled_models_improve_real_mixtures(real_data: Path, tmp_path: Path) -> None:
    """Forty of the 200 mixtures of recordings that no bundled model was trained on: 7.5 and 8.1 dB (all: 8.0, 8.5)."""
    results = evaluate(
        EvaluateOptions(
            metadata_csv=real_data / "eval_fold4.csv",
            audio_dir=real_data / "audio",
            output=tmp_path,
            limit=20,
            select=("base", "text-knn+residual"),
            device="cpu",
        )
    )
    policies = results["custom"].scores.policies
    assert policies["base"].sdri > 5.5
    assert policies["text-knn+residual"].sdri > policies["base"].sdri + 0.2
