"""The bundled models on real recordings."""

from __future__ import annotations

from pathlib import Path

from dplass_cli.pipelines.evaluate import EvaluateOptions, evaluate


def test_tiny_base_improves_real_mixtures(real_data: Path, tmp_path: Path) -> None:
    """Forty of the 200 mixtures of recordings that no bundled model was trained on; all give 7.7 dB."""
    results = evaluate(
        EvaluateOptions(
            metadata_csv=real_data / "eval_fold4.csv",
            audio_dir=real_data / "audio",
            output=tmp_path,
            limit=40,
            device="cpu",
        )
    )
    assert results["custom"].scores.policies["base"].sdri > 4.0
