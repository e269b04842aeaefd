"""``tag --fit``: a head of the clips of a manifest, and recordings tagged with it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dplass_cli.errors import InputError
from dplass_cli.options.head_options import HeadSettings
from dplass_cli.options.tag_options import TagOptions
from dplass_cli.pipelines.fit_head import fit_head
from dplass_cli.pipelines.tag import tag


@pytest.fixture
def manifest(corpus: Path, tmp_path: Path) -> Path:
    """18 clips of six kinds, from two devices."""
    rows = json.loads((corpus / "train.json").read_text())["data"]
    given = [{**row, "device": "ab"[number % 2]} for number, row in enumerate(rows)]
    (tmp_path / "train.json").write_text(json.dumps({"data": given}))
    return tmp_path / "train.json"


def test_a_head_is_fitted_measured_and_used(manifest: Path, corpus: Path, tmp_path: Path) -> None:
    options = TagOptions(
        fit=manifest,
        output=tmp_path / "head",
        fraction=(50, 100),
        augment=("mixup", "freq-mixstyle"),
        head_fit=HeadSettings(copies=1),
        device="cpu",
    )
    result = fit_head(options)
    assert result.figures.labels == ("Bark", "Flute", "Hoot", "Rain", "Siren", "Typing")
    assert (result.figures.training_clips, result.figures.test.clips) == (12, 6)
    assert result.figures.test.accuracy > 0.8
    assert set(result.figures.groups) <= {"a", "b"}
    assert json.loads((tmp_path / "head" / "results.json").read_text())["figures"]["fraction_clips"] == {
        "50": 6,
        "100": 12,
    }
    assert "| Siren | 1 |" in (tmp_path / "head" / "results.md").read_text()
    assert "Share of the training clips" in (tmp_path / "head" / "report.html").read_text()
    tagged = tag(TagOptions(recordings=(corpus / "rain0.wav",), head=Path(result.head), device="cpu"))
    assert tagged.calibrated
    assert tagged.tags[str(corpus / "rain0.wav")].sounds[0].sound == "Rain"
    with pytest.raises(InputError, match=r"^--head: has labels of its own; leave out --labels"):
        tag(TagOptions(recordings=(corpus / "rain0.wav",), head=Path(result.head), labels="scenes", device="cpu"))


def test_clips_that_cannot_be_read_are_named_and_others_are_used(manifest: Path, tmp_path: Path) -> None:
    rows = json.loads(manifest.read_text())["data"]
    manifest.write_text(json.dumps({"data": [*rows, {"wav": "gone.wav", "caption": "Rain"}]}))
    options = TagOptions(fit=manifest, test=manifest, output=tmp_path / "head", device="cpu")
    result = fit_head(options)
    assert list(result.failed) == [str(tmp_path / "gone.wav")]
    assert result.figures.training_clips == 18


def test_wrong_options_are_refused(manifest: Path, tmp_path: Path) -> None:
    options = TagOptions(fit=manifest, output=tmp_path / "head", device="cpu")
    with pytest.raises(InputError, match=r"^--fit: writes the head and its report to --output; name a folder"):
        fit_head(replace(options, output=None))
    with pytest.raises(InputError, match=r"^a\.wav: --fit takes no recordings"):
        fit_head(replace(options, recordings=(Path("a.wav"),)))
    with pytest.raises(InputError, match=r"contains no clip of 'airport', 'bar'"):
        fit_head(replace(options, labels="scenes"))
    with pytest.raises(InputError, match=r"^fraction 0\.0: must be above 0 and at most 100"):
        replace(options, fraction=(50.0, 0.0))
