"""``prepare generate``: clips from captions, by a tiny pipeline with random weights."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_generator import RATE, save_generator, save_second_generator

from dplass_cli import extras
from dplass_cli.audio.reading import audio_info, read_mono
from dplass_cli.data.manifest import read_manifest
from dplass_cli.data.prepare.caption_list import read_captions
from dplass_cli.data.prepare.generating import clip_seed
from dplass_cli.errors import InputError
from dplass_cli.options.prepare_options import GenerateOptions, MergeOptions
from dplass_cli.pipelines.prepare import generate, merge


@pytest.fixture
def captions(tmp_path: Path) -> Path:
    path = tmp_path / "captions.txt"
    path.write_text("A dog barking.\n\nfalling rain\tdrops\n")
    return path


def saved(folder: Path, index: Any, weights: bool = True) -> Path:
    """A folder that looks like a pipeline's."""
    for part in ("unet", "vae", "vocoder"):
        (folder / part).mkdir(parents=True)
        (folder / part / ("model.safetensors" if weights else "model.bin")).touch()
    if index is not None:
        (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def refused(captions: Path, model: Path | str) -> str:
    with pytest.raises(InputError) as error:
        generate(GenerateOptions(captions=captions, model=str(model), output=captions.with_name("made")))
    return str(error.value)


def test_files_are_named_by_the_words_of_the_caption_or_by_the_list(captions: Path) -> None:
    names = [caption.file_name(2) for caption in read_captions(captions)]
    assert names == ["a_dog_barking_2.wav", "drops_2.wav"]


def test_seeds_depend_on_the_seed_the_caption_and_the_take(captions: Path) -> None:
    made = [clip_seed(seed, c, take) for seed in (1, 2) for c in read_captions(captions) for take in (1, 2)]
    assert len(set(made)) == 8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n  \n", "contains no caption"),
        ("A dog\na dog!\n", "line 2: its files would have the name of line 1, 'a_dog'"),
        ("a dog\ta/b\n", "line 1: 'a/b' is not a file name"),
        ("?!\n", "line 1: '' is not a file name"),
        ("a dog\tdog\tdog\n", "line 1: expected caption or caption<TAB>name"),
    ],
)
def test_lists_that_name_no_files_are_refused(captions: Path, text: str, message: str) -> None:
    captions.write_text(text)
    with pytest.raises(InputError, match=r"captions\.txt: ") as error:
        read_captions(captions)
    assert message in str(error.value)


def test_a_list_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "none.txt" in refused(tmp_path / "none.txt", tmp_path)


def test_a_missing_extra_is_named(captions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    assert refused(captions, captions.parent).endswith("pip install 'dplass[generate]'")


def test_models_that_are_no_audio_pipelines_with_safetensors_are_refused(captions: Path, tmp_path: Path) -> None:
    image = {"_class_name": "StableDiffusionPipeline", "unet": [], "vae": []}
    assert "no model_index.json" in refused(captions, saved(tmp_path / "none", None))
    assert "StableDiffusionPipeline makes no audio" in refused(captions, saved(tmp_path / "image", image))
    bare = saved(tmp_path / "bare", {**image, "vocoder": []}, weights=False)
    assert "unet has no weights (*.safetensors)" in refused(captions, bare)
    assert "nowhere" in refused(captions, tmp_path / "nowhere")


def test_merged_rows_keep_their_source(captions: Path, tmp_path: Path) -> None:
    rows = [{"wav": "a.wav", "caption": "a", "source": "generated"}, {"wav": "b.wav", "caption": "b"}]
    (tmp_path / "m.json").write_text(json.dumps({"data": rows}))
    merge(MergeOptions((tmp_path / "m.json",), tmp_path / "merged.json"))
    assert [row.source for row in read_manifest(tmp_path / "merged.json")] == ["generated", str(tmp_path / "m.json")]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_generator(tmp_path_factory.mktemp("tiny-audioldm"))


@pytest.fixture
def options(captions: Path, model: Path, tmp_path: Path) -> GenerateOptions:
    return GenerateOptions(
        captions=captions,
        model=str(model),
        output=tmp_path / "made",
        per_caption=2,
        steps=2,
        seconds=0.25,
        device="cpu",
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.wav")}


def assert_equal_clips(folder: Path, wanted: Path) -> None:
    """Check that two folders contain the same clips, but for rounding, which depends on the batch."""
    assert contents(folder).keys() == contents(wanted).keys()
    for name in contents(wanted):
        expected = read_mono(wanted / name, RATE)
        np.testing.assert_allclose(read_mono(folder / name, RATE), expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.slow
def test_each_caption_becomes_clips_with_rows_of_a_manifest(
    options: GenerateOptions, capfd: pytest.CaptureFixture[str]
) -> None:
    result = generate(options)
    assert (result.clips, result.generated, result.rows, result.sample_rate) == (4, 4, 4, RATE)
    assert capfd.readouterr() == ("", "")
    rows = read_manifest(result.manifest)
    assert [row.wav.name for row in rows] == [
        *("a_dog_barking_1.wav", "a_dog_barking_2.wav", "drops_1.wav", "drops_2.wav"),
    ]
    assert {(row.caption, row.source) for row in rows} == {
        ("A dog barking.", "generated"),
        ("falling rain", "generated"),
    }
    assert {(audio_info(row.wav).seconds, audio_info(row.wav).sample_rate) for row in rows} == {(0.25, RATE)}
    assert len(set(contents(options.output).values())) == 4


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")  # transformers' VITS
@pytest.mark.parametrize("with_head", [True, False])
def test_the_second_version_of_audioldm_makes_clips(
    options: GenerateOptions, tmp_path: Path, with_head: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    second = str(save_second_generator(tmp_path / "tiny-audioldm2", with_head))
    capfd.readouterr()
    result = generate(replace(options, model=second))
    assert capfd.readouterr() == ("", "")
    assert (result.clips, result.rows, result.sample_rate) == (4, 4, RATE)
    clips = contents(options.output)
    assert len(set(clips.values())) == 4
    assert all(audio_info(options.output / name).seconds == 0.25 for name in clips)


@pytest.mark.slow
def test_resumed_clips_are_those_of_a_run_in_one_go(options: GenerateOptions, tmp_path: Path) -> None:
    generate(options)
    parts = replace(options, output=tmp_path / "parts")
    generate(replace(parts, per_caption=1))
    kept = {name: (parts.output / name).stat().st_mtime_ns for name in contents(parts.output)}
    assert generate(parts).generated == 2
    assert {name: (parts.output / name).stat().st_mtime_ns for name in kept} == kept
    assert_equal_clips(parts.output, options.output)
    assert generate(parts).generated == 0
    assert generate(replace(parts, seed=7)).generated == 4
    with pytest.raises(AssertionError):
        assert_equal_clips(parts.output, options.output)


@pytest.mark.slow
def test_clips_do_not_depend_on_the_batch_size(options: GenerateOptions, tmp_path: Path) -> None:
    generate(options)
    generate(replace(options, output=tmp_path / "single", batch_size=1))
    assert_equal_clips(tmp_path / "single", options.output)


@pytest.mark.slow
def test_clips_unlike_their_caption_are_rejected(options: GenerateOptions) -> None:
    scored = generate(replace(options, min_similarity=-1.0))
    found = sorted(row["similarity"] for row in json.loads(scored.manifest.read_text())["data"])
    assert len(found) == 4
    result = generate(replace(options, min_similarity=(found[0] + found[-1]) / 2))
    assert 0 < result.rejected < 4
    with open(result.manifest.with_name("rejects.csv"), newline="") as stream:
        assert {row["reason"] for row in csv.DictReader(stream)} == {"low similarity"}
    with pytest.raises(InputError, match="--min-similarity 1: all 4 clips are below it"):
        generate(replace(options, min_similarity=1.0))
