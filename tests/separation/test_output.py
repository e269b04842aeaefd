"""Output files: their names, sample formats, clipping, silencing, and the part above the model's band."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from systems import needs_proc

from dplass_cli.audio.reading import Audio, AudioInfo
from dplass_cli.errors import InputError, RunError
from dplass_cli.separation.output import (
    Output,
    Targets,
    check_template,
    name_parts,
    open_targets,
    subtype_of,
    suffix_of,
    target_paths,
)

INFO = AudioInfo(4, 8000, 1, "WAV", "PCM_16")
RECORDING = np.array([[0.5, -0.5, 0.25, 0.0]], np.float32)
TARGET = np.array([[0.25, -0.5, 0.0, 0.0]], np.float32)


def read(path: Path) -> Audio:
    """Samples (C, T)."""
    audio: Audio = soundfile.read(path, dtype="float32", always_2d=True)[0].T
    return audio


def write(
    folder: Path, target: Audio, output: Output, high: Audio | None = None, silenced: set[str] | None = None
) -> tuple[dict[str, Audio], Targets]:
    """Write one target and the residual of the recording: what the files contain, and their writer."""
    names = ["dog", "residual"] if output.residual else ["dog"]
    paths = {name: folder / f"m_{name}.wav" for name in names}
    with open_targets(paths, INFO, output, silencing=silenced is not None) as targets:
        targets.write(RECORDING, target[None], high)
        targets.silenced = silenced or set()
    return {name: read(path) for name, path in paths.items()}, targets


def test_targets_are_named_after_the_recording_and_the_query() -> None:
    paths = target_paths(Path("out"), "mix", ["a dog barking!", "residual"], set(), ".wav")
    assert paths == {
        "a dog barking!": Path("out/mix_a_dog_barking.wav"),
        "residual": Path("out/mix_residual.wav"),
    }


@pytest.mark.parametrize(
    ("container", "suffix"), [("FLAC", ".flac"), ("OGG", ".ogg"), ("MP3", ".wav"), ("RF64", ".wav")]
)
def test_targets_have_the_container_of_the_recording_where_it_is_written(container: str, suffix: str) -> None:
    info = AudioInfo(4, 8000, 1, container, "PCM_16")
    assert suffix_of(info, Output()) == suffix


def test_a_file_that_must_not_be_overwritten_is_named(tmp_path: Path) -> None:
    taken = {(tmp_path / "mix_rain.wav").resolve()}
    with pytest.raises(InputError, match=r"mix_rain\.wav: would overwrite an input or another output; use another --o"):
        target_paths(tmp_path, "mix", ["rain"], taken, ".wav")


def test_names_of_255_bytes_stay_as_they_are_and_longer_ones_are_cut_to_distinct_names() -> None:
    fitting = "x" * (255 - len("_rain.wav"))
    assert target_paths(Path(), fitting, ["rain"], set(), ".wav")["rain"].name == f"{fitting}_rain.wav"
    cut = [target_paths(Path(), f"{'犬' * 100}{n}", ["rain"], set(), ".wav")["rain"].name for n in range(2)]
    assert cut[0] != cut[1]
    assert all(len(name.encode()) <= 255 and name.endswith("_rain.wav") for name in cut)


def test_name_parts_contain_letters_digits_and_underscores_only() -> None:
    assert name_parts(["a dog's bark / ..", "/etc", "犬 🐕", "..."]) == {
        "a dog's bark / ..": "a_dog_s_bark",
        "/etc": "etc",
        "犬 🐕": "犬",
        "...": "query",
    }


def test_name_parts_differ_in_more_than_case() -> None:
    assert list(name_parts(["Dog", "dog", "dog!"]).values()) == ["Dog", "dog_2", "dog_3"]


def test_name_parts_have_at_most_60_bytes_of_a_query() -> None:
    assert name_parts(["x" * 100, "犬" * 100]) == {"x" * 100: "x" * 60, "犬" * 100: "犬" * 20}


@pytest.mark.parametrize(("option", "value"), [("clip", "eror"), ("highband", "both")])
def test_unknown_words_are_refused(option: str, value: str) -> None:
    with pytest.raises(InputError, match=f"--{option} {value}: must be one of"):
        Output(**{option: value})  # type: ignore[arg-type]


def test_the_sample_format_is_that_of_the_recording_unless_another_is_asked_for() -> None:
    assert subtype_of(INFO, Output()) == "PCM_16"
    assert subtype_of(INFO, Output(subtype="FLOAT")) == "FLOAT"


def test_the_residual_is_the_recording_minus_the_targets(tmp_path: Path) -> None:
    files, _ = write(tmp_path, TARGET, Output(residual=True, subtype="FLOAT"))
    np.testing.assert_array_equal(files["dog"], TARGET)
    np.testing.assert_array_equal(files["residual"], RECORDING - TARGET)


HIGH = np.array([[0.125, 0.0, 0.0, 0.125]], np.float32)


@pytest.mark.parametrize(
    ("highband", "target", "residual"),
    [
        ("residual", TARGET, RECORDING - TARGET),
        ("target", TARGET + HIGH, RECORDING - TARGET - HIGH),
        ("drop", TARGET, RECORDING - TARGET - HIGH),
    ],
)
def test_the_part_above_the_band_goes_where_it_is_asked_to(
    tmp_path: Path, highband: str, target: Audio, residual: Audio
) -> None:
    output = Output(residual=True, subtype="FLOAT", highband=highband)  # type: ignore[arg-type]
    files, _ = write(tmp_path, TARGET, output, HIGH)
    np.testing.assert_array_equal(files["dog"], target)
    np.testing.assert_array_equal(files["residual"], residual)


LOUD = np.array([[2.0, -1.5, 0.5, 0.0]], np.float32)


def test_samples_above_full_scale_are_limited_and_counted(tmp_path: Path) -> None:
    files, targets = write(tmp_path, LOUD, Output())
    np.testing.assert_allclose(files["dog"], LOUD.clip(-1, 1), atol=1e-4)
    assert (targets.clipped, targets.gain) == ({"dog": 2}, 1.0)


def test_scaling_applies_one_gain_to_all_outputs(tmp_path: Path) -> None:
    files, targets = write(tmp_path, LOUD, Output(residual=True, clip="scale"))
    assert targets.gain == pytest.approx(0.999 / 2.0)
    np.testing.assert_allclose(files["dog"], targets.gain * LOUD, atol=1e-4)
    np.testing.assert_allclose(files["residual"], targets.gain * (RECORDING - LOUD), atol=1e-4)
    assert targets.clipped == {"dog": 0, "residual": 0}


def test_outputs_within_full_scale_are_not_scaled(tmp_path: Path) -> None:
    files, targets = write(tmp_path, TARGET, Output(clip="scale"))
    assert targets.gain == 1.0
    np.testing.assert_allclose(files["dog"], TARGET, atol=1e-4)


def test_clipping_can_be_an_error_that_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(
        RunError, match=r"m_dog\.wav: 6\.0 dB above full scale; use --clip limit or scale, or --subtype"
    ):
        write(tmp_path, LOUD, Output(clip="error"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("clip", ["limit", "scale", "error"])
def test_float_files_represent_samples_above_full_scale(tmp_path: Path, clip: str) -> None:
    files, targets = write(tmp_path, LOUD, Output(subtype="FLOAT", clip=clip))  # type: ignore[arg-type]
    np.testing.assert_array_equal(files["dog"], LOUD)
    assert (targets.clipped, targets.gain) == ({"dog": 0}, 1.0)


def test_a_silenced_target_becomes_silence_and_its_sound_part_of_the_residual(tmp_path: Path) -> None:
    output = Output(residual=True, subtype="FLOAT")
    files, _ = write(tmp_path, TARGET, output, silenced={"dog"})
    assert not files["dog"].any()
    np.testing.assert_array_equal(files["residual"], RECORDING)


def test_targets_that_may_be_silenced_but_are_not_stay_as_they_are(tmp_path: Path) -> None:
    files, _ = write(tmp_path, TARGET, Output(residual=True, subtype="FLOAT"), silenced=set())
    np.testing.assert_array_equal(files["dog"], TARGET)
    np.testing.assert_array_equal(files["residual"], RECORDING - TARGET)


@needs_proc
@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_more_targets_than_files_can_be_open_are_written_in_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    paths = {f"q{number}": tmp_path / f"{number}{suffix}" for number in range(100)} | {"residual": tmp_path / "r.wav"}
    levels = np.arange(100, dtype=np.float32)[:, None, None] / 2000
    import resource

    if len(list(Path("/proc/self/fd").iterdir())) > 20:
        pytest.skip("too many files are open already")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, before[1]))
    try:
        monkeypatch.setattr(resource, "getrlimit", lambda kind: (64, 64))
        with open_targets(paths, INFO, Output(residual=True)) as targets:
            for _ in range(2):
                targets.write(RECORDING, np.broadcast_to(levels, (100, 1, 4)), None)
    finally:
        monkeypatch.undo()
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    for number in range(100):
        np.testing.assert_allclose(read(paths[f"q{number}"]), np.full((1, 8), number / 2000), atol=1e-4)
    rest = np.tile(RECORDING - levels.sum(), 2).clip(-1, 1)
    np.testing.assert_allclose(read(paths["residual"]), rest, atol=1e-4)
    assert len(list(tmp_path.iterdir())) == 101


@pytest.mark.parametrize("output", [Output(), Output(clip="scale")], ids=["direct", "with drafts"])
def test_only_the_outputs_are_left(tmp_path: Path, output: Output) -> None:
    write(tmp_path, TARGET, output)
    assert [path.name for path in tmp_path.iterdir()] == ["m_dog.wav"]


@pytest.mark.parametrize("output", [Output(), Output(clip="scale")], ids=["direct", "with drafts"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_are_refused_and_leave_nothing(tmp_path: Path, output: Output, value: float) -> None:
    damaged = np.array([[0.0, value, 0.0, 0.0]], np.float32)
    with pytest.raises(RunError, match=r"m_dog\.wav: samples would be NaN or infinite"):
        write(tmp_path, damaged, output)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("silencing", [False, True])
def test_a_sample_format_that_the_container_lacks_is_refused_before_the_work(tmp_path: Path, silencing: bool) -> None:
    info = AudioInfo(4, 8000, 2, "WAV", "PCM_16")
    started: list[Callable[..., None]] = []
    with (
        pytest.raises(InputError, match="does not support 2 channels"),
        open_targets({"dog": tmp_path / "m.wav"}, info, Output(subtype="GSM610"), silencing) as targets,
    ):
        started.append(targets.write)
    assert started == []


@pytest.mark.parametrize(
    ("template", "queries", "wrong"),
    [
        ("{stem}", ["a", "b"], "--name {stem}: 2 targets need different names; add {query}"),
        ("{artist}", ["a"], "--name {artist}: expected a file name of {stem} and {query}"),
        ("{stem", ["a"], "expected a file name"),
        ("{}", ["a"], "expected a file name"),
        ("{stem.parent}", ["a"], "expected a file name"),
        ("../{stem}", ["a"], "expected a file name"),
        ("..", ["a"], "expected a file name"),
        ("", ["a"], "expected a file name"),
    ],
)
def test_wrong_templates_are_refused(template: str, queries: list[str], wrong: str) -> None:
    with pytest.raises(InputError, match=re.escape(wrong)):
        check_template(template, queries)


def test_names_follow_the_template() -> None:
    paths = target_paths(Path("out"), "mix", ["a dog", "rain"], set(), ".mp3", "{query} of {stem}")
    assert paths == {"a dog": Path("out/a_dog of mix.mp3"), "rain": Path("out/rain of mix.mp3")}
    assert target_paths(Path(), "m", ["a"], set(), ".wav", "plain") == {"a": Path("plain.wav")}


@pytest.mark.parametrize(
    ("output", "suffix", "wrong"),
    [
        (Output(format="mp3", subtype="FLOAT"), ".mp3", "--subtype FLOAT: .mp3 has none"),
        (Output(format="mp3", bitrate=5), ".mp3", "--bitrate 5: .mp3 takes 32 to 320 kbit/s"),
        (Output(bitrate=128), ".wav", "--bitrate 128: .wav has none; use --format opus, mp3 or m4a"),
    ],
)
def test_options_that_a_format_lacks_are_refused_before_the_work(
    tmp_path: Path, output: Output, suffix: str, wrong: str
) -> None:
    with pytest.raises(InputError, match=re.escape(wrong)), open_targets({"a": tmp_path / f"a{suffix}"}, INFO, output):
        raise AssertionError("the work began")


def test_existing_outputs_are_refused_replaced_or_skipped(tmp_path: Path) -> None:
    paths = [tmp_path / "a.wav", tmp_path / "b.wav"]
    for existing in ("refuse", "overwrite", "skip"):
        assert not Output(existing=existing).is_skipped(paths)  # type: ignore[arg-type]
    paths[0].touch()
    assert not Output(existing="skip").is_skipped(paths)
    assert not Output(existing="overwrite").is_skipped(paths)
    with pytest.raises(InputError, match=r"a\.wav: exists; use --overwrite, --skip-existing or another --output"):
        Output(existing="refuse").is_skipped(paths)
    paths[1].touch()
    assert Output(existing="skip").is_skipped(paths)


@pytest.mark.parametrize("with_target", [True, False])
def test_the_residual_subtracts_removals_only_where_there_is_nothing_else(tmp_path: Path, with_target: bool) -> None:
    removal, high = RECORDING - TARGET, np.full((1, 4), 0.0625, np.float32)
    names = ["dog", "no dog", "residual"] if with_target else ["no dog", "residual"]
    paths = {name: tmp_path / f"m_{name}.wav" for name in names}
    targets = np.stack([TARGET, removal] if with_target else [removal])
    with open_targets(paths, INFO, Output(residual=True), removals={"no dog"}) as files:
        files.write(RECORDING + high, targets, high)
    residual = RECORDING - TARGET if with_target else TARGET
    np.testing.assert_allclose(read(paths["residual"]), residual + high, atol=1e-4)
    np.testing.assert_allclose(read(paths["no dog"]), removal + high if with_target else removal, atol=1e-4)
