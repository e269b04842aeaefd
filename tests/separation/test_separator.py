"""The Separator on recordings of all rates, channels, lengths and formats."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from embedded_sounds import embedded

from dplass_cli import Separator, sounds
from dplass_cli.adapters.bank_folder import write_bank
from dplass_cli.audio.reading import read_audio
from dplass_cli.audio.writing import write_audio
from dplass_cli.devices import in_bfloat16
from dplass_cli.errors import InputError, RunError
from dplass_cli.evaluation.metrics import sdr
from dplass_cli.resources import resource
from dplass_cli.separation.bank import AdapterBank
from dplass_cli.separation.core import Prepared, Request, SeparationCore
from dplass_cli.separation.policies import default_selection, make_policy
from dplass_cli.separation.queries import Query
from dplass_cli.storage import read_json


@pytest.fixture(scope="module")
def separator() -> Separator:
    return Separator.from_pretrained(policy="base", device="cpu")


def dog_in_the_rain(rate: int = 32000, seconds: float = 5.0) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    dog, rain = (sounds.render(name, 4000, seconds, rate) for name in ("dog_bark", "rain"))
    dog *= 0.3 / np.abs(dog).max()
    rain *= np.sqrt(np.square(dog).mean() / np.square(rain).mean())
    return dog + rain, dog


def test_the_described_sound_is_separated(separator: Separator) -> None:
    mixture, dog = dog_in_the_rain()
    out = separator(mixture[None], 32000, ["a dog barking", "rain falling"])
    assert list(out) == ["a dog barking", "rain falling"]
    assert sdr(dog, out["a dog barking"][0]) > 4.0
    assert sdr(mixture - dog, out["rain falling"][0]) > 4.0


def test_defaults_follow_what_is_known_about_the_adapters(separator: Separator, tmp_path: Path) -> None:
    measured = Separator.from_pretrained("tiny-0.1")
    assert any(domain.sdri_gain_db for domain in measured.bank.domains.values())
    assert (measured.policy.name, measured.refine) == ("validated", "residual")
    bundled = separator.bank.domains.values()
    bundle = resource("assets/tiny/bank")
    shutil.copytree(bundle, tmp_path / "bank")
    described = {key: value for key, value in read_json(bundle / "bank.json").items() if key != "domains"}
    write_bank(tmp_path / "bank", [replace(domain, sdri_gain_db=0.0) for domain in bundled], described)
    trained = Separator.from_pretrained(adapters=tmp_path / "bank")
    assert (trained.policy.name, trained.refine) == ("text-knn", "residual")
    write_audio(tmp_path / "m.wav", dog_in_the_rain()[0][None], 32000)
    (target,) = trained.separate_file(tmp_path / "m.wav", ["a dog barking"], tmp_path / "out")
    assert target.adapter == "domain2"
    assert default_selection("audiosep.ckpt", trained.bank) == ("text", "none")
    assert default_selection("audiosep.ckpt", AdapterBank(trained.bank.network)) == ("base", "none")
    assert default_selection("tiny", AdapterBank(trained.bank.network)) == ("base", "none")
    shutil.copytree(tmp_path / "bank" / "domain3", tmp_path / "adapters" / "3")
    alone = Separator.from_pretrained(adapters=tmp_path / "adapters")
    assert (alone.policy.name, alone.refine) == ("single:3", "residual")
    (target,) = alone.separate_file(tmp_path / "m.wav", ["a dog barking"], tmp_path / "out")
    assert target.adapter == "3"
    assert default_selection("audiosep.ckpt", alone.bank) == ("single:3", "none")
    shutil.copytree(tmp_path / "bank" / "domain4", tmp_path / "adapters" / "mine")
    with pytest.raises(InputError, match=r"the 2 adapters have no domains, .*use --select single:3, or a bank"):
        Separator.from_pretrained(adapters=tmp_path / "adapters")


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (22050, 3), (44100, 2), (96000, 1)])
@pytest.mark.parametrize("samples", [1, 700, 20001])
def test_outputs_have_the_shape_of_the_input(separator: Separator, rate: int, channels: int, samples: int) -> None:
    audio = np.random.default_rng(0).standard_normal((channels, samples)).astype(np.float32) * 0.1
    out = separator(audio, rate, ["a bell"])["a bell"]
    assert out.shape == audio.shape
    assert out.dtype == np.float32
    assert np.isfinite(out).all()


class Amplifier(SeparationCore):
    """Returns each mixture, times 1.5, in place of its sources."""

    def separate(self, prepared: Prepared, requests: Sequence[Request]) -> torch.Tensor:
        return torch.stack([1.5 * prepared.mixtures[request.mixture] for request in requests])


def test_a_separator_says_what_it_is_and_knows(separator: Separator) -> None:
    assert repr(separator) == "Separator(base='tiny', adapters=7, policy='base', refine='none')"
    assert sum(map(len, separator.sounds().values())) == len(separator.encoder.kinds)


def test_arrays_have_the_presence_that_files_have(separator: Separator, tmp_path: Path) -> None:
    mixture = dog_in_the_rain(44100)[0][None]
    queries = ["a dog barking", "a siren", Query(without=("rain falling",))]
    found = separator(mixture, 44100, queries, presence=True).presence
    write_audio(tmp_path / "m.wav", mixture, 44100, "FLOAT")
    written = separator.separate_file(tmp_path / "m.wav", queries, tmp_path / "out")
    of_files = {target.query: target.presence for target in written if target.presence}
    assert found.keys() == of_files.keys() == set(queries[:2])
    for query, presence in of_files.items():  # the backend may change between the two
        assert found[query].score == pytest.approx(presence.score, abs=1e-4)
    assert found["a dog barking"].score > 0.5 > found["a siren"].score


def test_presence_is_measured_only_where_it_is_asked_for(separator: Separator) -> None:
    assert separator(dog_in_the_rain()[0][None], 32000, ["a dog barking"]).presence == {}


def test_a_result_keeps_its_recording_when_the_array_changes(separator: Separator) -> None:
    mixture = dog_in_the_rain(seconds=1.0)[0][None]
    expected = mixture.copy()
    separated = separator(mixture, 32000, ["a dog barking"])
    mixture[:] = 0.0
    np.testing.assert_array_equal(separated.recording, expected)


def test_progress_counts_the_samples_of_every_pass() -> None:
    separator = Separator.from_pretrained(policy="base+residual", device="cpu")
    seen: list[tuple[int, int, str]] = []
    separator(dog_in_the_rain(seconds=1.0)[0][None], 32000, ["a dog"], progress=lambda *step: seen.append(step))
    assert seen == [(0, 32000, "analysing"), (32000, 32000, "separating")]


def test_a_notebook_plays_a_written_target(separator: Separator, tmp_path: Path) -> None:
    mixture = dog_in_the_rain(44100, 1.0)[0][None]
    write_audio(tmp_path / "m.wav", mixture, 44100, "PCM_16")
    (target,) = separator.separate_file(tmp_path / "m.wav", ["a dog barking"], tmp_path / "out")
    (player,) = embedded(target._repr_html_() or "").players
    np.testing.assert_allclose(player.audio, read_audio(target.path)[0], atol=2 / 32768)
    target.path.unlink()
    assert target._repr_html_() is None


@pytest.mark.parametrize("selection", ["base", "base+residual", "blend"])
def test_windows_give_the_same_as_the_whole_recording(selection: str) -> None:
    separator = Separator.from_pretrained(policy=selection, device="cpu", backend="torch", window=8.0)
    mixture = np.concatenate([dog_in_the_rain(seconds=13.0)[0], dog_in_the_rain(seconds=8.3)[0]])
    windowed = separator(mixture[None], 32000, ["a dog barking"])["a dog barking"][0]
    separator.window = 60.0
    whole = separator(mixture[None], 32000, ["a dog barking"])["a dog barking"][0]
    assert np.square(windowed - whole).any(), "there is only one window"
    errors = np.square(windowed - whole)[: len(whole) // 320 * 320].reshape(-1, 320).mean(axis=1)  # of every 10 ms
    assert 10 * np.log10(errors.max() / np.square(whole).mean()) < -60.0


@pytest.mark.parametrize(
    ("level_db", "offset"), [(-50.0, 0.0), (-20.0, 0.0), (20.0, 0.0), (0.0, 0.01), (0.0, 0.1), (-30.0, -0.1)]
)
def test_level_and_offset_of_a_recording_change_nothing(tmp_path: Path, level_db: float, offset: float) -> None:
    gain = np.float32(10.0 ** (level_db / 20.0))
    mixture = dog_in_the_rain(44100)[0][None]
    separator = Separator.from_pretrained(device="cpu")
    queries = ["a dog barking", Query(without=("rain falling",))]
    found = []
    for audio in (mixture, mixture * gain + np.float32(offset)):
        write_audio(tmp_path / "m.wav", audio, 44100, "FLOAT")
        targets = separator.separate_file(tmp_path / "m.wav", queries, tmp_path / "out", clip="scale")
        scale = 10.0 ** (targets[0].gain_db / 20.0)
        outputs = [read_audio(target.path)[0] / np.float32(scale) for target in targets]
        found.append((outputs, targets[0].presence))
    ((dog, dry), presence), ((moved, moved_dry), moved_presence) = found
    assert np.abs(moved / gain - dog).max() < 1e-4
    assert np.abs((moved_dry - np.float32(offset)) / gain - dry).max() < 1e-3
    assert presence is not None
    assert moved_presence is not None
    assert moved_presence.score == pytest.approx(presence.score, abs=1e-3)


def test_equal_channels_stay_equal(separator: Separator) -> None:
    mixture, _ = dog_in_the_rain(seconds=2.0)
    out = separator(np.stack([mixture, mixture]), 32000, ["a dog barking"])["a dog barking"]
    np.testing.assert_allclose(out[0], out[1], atol=1e-6)


@pytest.mark.parametrize(
    ("suffix", "subtype"), [(".wav", "PCM_16"), (".wav", "FLOAT"), (".flac", "PCM_24"), (".ogg", "VORBIS")]
)
def test_outputs_keep_rate_channels_length_and_format(
    separator: Separator, tmp_path: Path, suffix: str, subtype: str
) -> None:
    mixture, _ = dog_in_the_rain(44100, 1.5)
    path = tmp_path / f"mixture{suffix}"
    write_audio(path, np.stack([mixture, 0.5 * mixture]), 44100, subtype)
    written = separator.separate_file(path, ["a dog!", "a dog?"], tmp_path / "out", residual=True)
    names = [f"mixture_{name}{suffix}" for name in ("a_dog", "a_dog_2", "residual")]
    assert [target.path.name for target in written] == names
    before = soundfile.info(str(path))
    for target in written:
        after = soundfile.info(str(target.path))
        assert (after.samplerate, after.channels, after.subtype) == (44100, 2, subtype)
        assert after.frames == before.frames


@pytest.mark.parametrize("silence", [None, 0.0])
@pytest.mark.parametrize(
    ("name", "rate", "subtype", "written"),
    [
        ("m.mp3", 44100, "MPEG_LAYER_III", ("m_a_dog.wav", "PCM_16")),
        ("m.aiff", 44100, "PCM_24", ("m_a_dog.wav", "PCM_24")),
        ("m.ogg", 48000, "OPUS", ("m_a_dog.ogg", "OPUS")),
        ("m.wav", 44100, "ULAW", ("m_a_dog.wav", "ULAW")),
    ],
)
def test_containers_that_are_not_written_become_wav(
    separator: Separator,
    tmp_path: Path,
    name: str,
    rate: int,
    subtype: str,
    written: tuple[str, str],
    silence: float | None,
) -> None:
    mixture, _ = dog_in_the_rain(rate, 1.5)
    write_audio(tmp_path / name, np.stack([mixture, 0.5 * mixture]), rate, subtype)
    (target,) = separator.separate_file(tmp_path / name, ["a dog"], tmp_path / "out", silence_if_absent=silence)
    before, after = soundfile.info(str(tmp_path / name)), soundfile.info(str(target.path))
    assert (target.path.name, after.subtype) == written
    assert (after.samplerate, after.channels, after.frames) == (rate, 2, before.frames)


def test_an_unsupported_sample_format_is_refused_before_the_work(separator: Separator, tmp_path: Path) -> None:
    mixture, _ = dog_in_the_rain(44100, 0.5)
    write_audio(tmp_path / "m.wav", np.stack([mixture, mixture]), 44100)
    for silence in (None, 0.5):
        with pytest.raises(InputError, match="does not support 2 channels"):
            separator.separate_file(
                tmp_path / "m.wav",
                ["a dog"],
                tmp_path,
                subtype="GSM610",
                silence_if_absent=silence,
                progress=lambda done, total, what: pytest.fail("the work started"),
            )


def test_targets_and_residual_add_up_to_the_recording(separator: Separator, tmp_path: Path) -> None:
    mixture, _ = dog_in_the_rain(seconds=1.0)
    write_audio(tmp_path / "m.wav", mixture[None], 32000, "FLOAT")
    written = separator.separate_file(tmp_path / "m.wav", ["a dog", "rain"], tmp_path, residual=True)
    total = sum(soundfile.read(str(target.path), dtype="float32")[0] for target in written)
    np.testing.assert_allclose(total, mixture, atol=1e-5)


def test_wrong_use_is_refused(separator: Separator, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"audio: expected shape \(channels, samples\)"):
        separator(np.zeros((1, 0), dtype=np.float32), 32000, ["a dog"])
    with pytest.raises(InputError, match="audio: contains NaN or infinite samples"):
        separator(np.full((1, 10), np.nan, dtype=np.float32), 32000, ["a dog"])
    with pytest.raises(InputError, match="sample_rate 0: must be a positive number of Hz"):
        separator(np.zeros((1, 10), dtype=np.float32), 0, ["a dog"])
    write_audio(tmp_path / "m.wav", np.zeros((1, 100), dtype=np.float32), 32000)
    for name in ("clip", "highband"):
        with pytest.raises(InputError, match=f"--{name} eror: must be one of"):
            separator.separate_file(tmp_path / "m.wav", ["a dog"], tmp_path, **{name: "eror"})
    with pytest.raises(InputError, match="no query"):
        separator(np.zeros((1, 10), dtype=np.float32), 32000, [])
    with pytest.raises(InputError, match="needs a bank"):
        Separator(AdapterBank(separator.bank.network), separator.encoder, make_policy("text")).check(["a"])


def _pan(mono: np.ndarray, left: float, right: float) -> np.ndarray:  # type: ignore[type-arg]
    return np.stack([left * mono, right * mono])


def test_a_shared_mask_preserves_the_stereo_image(separator: Separator) -> None:
    mixture, dog = dog_in_the_rain(seconds=3.0)
    stereo = _pan(dog, 0.9, -0.3) + _pan(mixture - dog, 0.4, 0.8)
    out = separator(stereo, 32000, ["a dog barking"])["a dog barking"]
    loud = np.abs(dog) > 0.25 * np.abs(dog).max()
    assert (out[1, loud] @ out[0, loud]) / np.square(out[0, loud]).sum() == pytest.approx(-1 / 3, abs=0.12)
    assert sdr(0.9 * dog, out[0]) > 4.0


def test_each_channel_may_have_its_own_mask(separator: Separator) -> None:
    mixture, _ = dog_in_the_rain(seconds=1.0)
    each = Separator(separator.bank, separator.encoder, separator.policy, "each")
    mono = separator(mixture[None], 32000, ["rain"])["rain"]
    np.testing.assert_allclose(each(mixture[None], 32000, ["rain"])["rain"], mono, atol=1e-6)
    stereo = np.stack([mixture, mixture[::-1]])  # of equal levels: one gain serves both channels
    np.testing.assert_allclose(each(stereo, 32000, ["rain"])["rain"][:1], mono, atol=1e-6)
    with pytest.raises(InputError, match="--stereo mono: must be one of shared, each"):
        Separator(separator.bank, separator.encoder, separator.policy, "mono")  # type: ignore[arg-type]


def test_a_file_gives_the_same_as_its_samples(tmp_path: Path) -> None:
    separator = Separator.from_pretrained(
        policy="base", device="cpu", backend="torch", window=8.0
    )  # with auto, OpenVINO may take over between the runs
    mixture = np.concatenate([dog_in_the_rain(44100, 7.3)[0], dog_in_the_rain(44100, 6.0)[0]])
    write_audio(tmp_path / "m.wav", mixture[None], 44100, "FLOAT")
    reports: list[tuple[int, int]] = []
    (written,) = separator.separate_file(
        tmp_path / "m.wav", ["a dog"], tmp_path, progress=lambda done, total, what: reports.append((done, total))
    )
    whole = separator(mixture[None], 44100, ["a dog"])["a dog"][0]
    np.testing.assert_array_equal(soundfile.read(str(written.path), dtype="float32")[0], whole)
    assert reports[-1] == (len(mixture), len(mixture))
    assert len(reports) == 2


def test_an_interrupted_separation_leaves_no_files(separator: Separator, tmp_path: Path) -> None:
    write_audio(tmp_path / "m.wav", np.zeros((1, 20 * 8000), np.float32), 8000)

    def stop(done: int, total: int, what: str) -> None:
        raise KeyboardInterrupt

    for clip in ("limit", "scale"):
        with pytest.raises(KeyboardInterrupt):
            separator.separate_file(tmp_path / "m.wav", ["a dog"], tmp_path / "out", clip=clip, progress=stop)  # type: ignore[arg-type]
    assert list((tmp_path / "out").iterdir()) == []


def test_samples_above_full_scale_never_wrap(separator: Separator, tmp_path: Path) -> None:
    hot, query = tmp_path / "hot.wav", ["a dog barking"]
    loud = 8 * dog_in_the_rain(seconds=2.0)[0]
    write_audio(hot, loud[None], 32000, "FLOAT")
    true = separator(loud[None], 32000, query)[query[0]][0]
    assert np.abs(true).max() > 1.2
    (limited,) = separator.separate_file(hot, query, tmp_path / "limit", subtype="PCM_16")
    found = soundfile.read(str(limited.path))[0]
    np.testing.assert_allclose(found, true.clip(-1, 1), atol=1e-4)
    assert limited.clipped == np.count_nonzero(np.abs(true) > 1)
    scaled, rest = separator.separate_file(hot, query, tmp_path / "scale", True, "PCM_16", "scale")
    found = soundfile.read(str(scaled.path))[0]
    np.testing.assert_allclose(found, true * 10 ** (scaled.gain_db / 20), atol=1e-4)
    assert np.abs(found).max() <= 0.9991
    assert (scaled.gain_db < 0, scaled.clipped, rest.gain_db) == (True, 0, scaled.gain_db)
    with pytest.raises(RunError, match=r"dB above full scale; use --clip limit or scale"):
        separator.separate_file(hot, query, tmp_path / "error", subtype="PCM_16", clip="error")
    assert list((tmp_path / "error").iterdir()) == []
    (kept,) = separator.separate_file(hot, query, tmp_path / "float", clip="error")
    np.testing.assert_allclose(soundfile.read(str(kept.path))[0], true, atol=1e-6)


def test_the_part_above_the_band_goes_where_highband_says(separator: Separator, tmp_path: Path) -> None:
    time = np.arange(2 * 96000) / 96000
    mixture = dog_in_the_rain(96000, 2.0)[0] + 0.1 * np.sin(2 * np.pi * 30000 * time).astype(np.float32)
    write_audio(tmp_path / "m.wav", mixture[None].astype(np.float32), 96000, "FLOAT")

    def levels(highband: str) -> tuple[float, float]:
        written = separator.separate_file(
            tmp_path / "m.wav",
            ["a dog"],
            tmp_path / highband,
            residual=True,
            highband=highband,  # type: ignore[arg-type]
        )
        tones = np.exp(-2j * np.pi * 30000 * time)
        target, rest = (abs(soundfile.read(str(w.path))[0] @ tones) * 2 / len(time) for w in written)
        return float(target), float(rest)

    assert levels("residual") == pytest.approx((0.0, 0.1), abs=2e-3)
    assert levels("target") == pytest.approx((0.1, 0.0), abs=2e-3)
    assert levels("drop") == pytest.approx((0.0, 0.0), abs=2e-3)


@pytest.mark.parametrize(
    ("samples", "rate", "channels", "subtype", "suffix"),
    [
        (1, 8000, 1, "PCM_U8", ".wav"),
        (1, 192000, 2, "PCM_24", ".flac"),
        (14700, 48999, 3, "PCM_24", ".wav"),  # 0.3 s of an odd rate
        (220500, 44100, 1, "PCM_16", ".flac"),  # 5.000 s
        (55131, 11025, 6, "PCM_32", ".wav"),  # 5.001 s
        (57600, 192000, 1, "FLOAT", ".wav"),
        (9000, 96000, 2, "DOUBLE", ".wav"),
        (2500, 8000, 4, "PCM_S8", ".aiff"),
    ],
)
def test_recordings_of_any_length_rate_channels_and_format_are_separated(
    separator: Separator, tmp_path: Path, samples: int, rate: int, channels: int, subtype: str, suffix: str
) -> None:
    time = np.arange(samples) / rate
    mixture = np.stack([0.3 * np.sin(2 * np.pi * 440 * (n + 1) * time + 1.0) for n in range(channels)])
    path = tmp_path / f"m{suffix}"
    write_audio(path, mixture.astype(np.float32), rate, subtype)
    written = separator.separate_file(path, ["a flute"], tmp_path / "out", residual=True, clip="error")
    found = [soundfile.read(str(target.path), always_2d=True)[0] for target in written]
    for target, audio in zip(written, found, strict=True):
        info = soundfile.info(str(target.path))
        assert (audio.shape, info.samplerate) == ((samples, channels), rate)
        assert suffix == ".aiff" or info.subtype == subtype
        assert np.isfinite(audio).all()
    before = soundfile.read(str(path), always_2d=True)[0]
    np.testing.assert_allclose(sum(found), before, atol=0.03 if subtype.endswith("8") else 1e-3)


@pytest.mark.parametrize("clip", ["limit", "scale", "error"])
def test_an_estimate_above_full_scale_follows_clip(separator: Separator, tmp_path: Path, clip: str) -> None:
    loud = copy(separator)
    loud.core = Amplifier(separator.bank)
    mixture = dog_in_the_rain(seconds=1.0)[0]
    mixture *= 10 ** (-0.1 / 20) / np.abs(mixture).max()
    write_audio(tmp_path / "m.wav", mixture[None], 32000, "PCM_16")
    before = soundfile.read(str(tmp_path / "m.wav"))[0]
    call = (tmp_path / "m.wav", ["a dog"], tmp_path / clip, True, None, clip)
    if clip == "error":
        with pytest.raises(RunError, match=r"m_a_dog\.wav: 3\.4 dB above full scale"):
            loud.separate_file(*call)  # type: ignore[arg-type]
        assert list((tmp_path / clip).iterdir()) == []
        return
    target, rest = loud.separate_file(*call)  # type: ignore[arg-type]
    true, left = 1.5 * before, -0.5 * before
    if clip == "scale":
        gain = 0.999 / np.abs(true).max()
        assert target.gain_db == pytest.approx(20 * np.log10(gain), abs=0.01)
        true, left = gain * true, gain * left
    np.testing.assert_allclose(soundfile.read(str(target.path))[0], true.clip(-1, 1), atol=2e-4)
    np.testing.assert_allclose(soundfile.read(str(rest.path))[0], left, atol=2e-4)


@pytest.mark.parametrize(
    "name", ["犬 🐕 ö", "two\nlines", "quote \" ' and, comma", "-dash & $HOME `x` #1%", "long é " + "犬" * 70]
)
def test_names_and_queries_may_contain_any_character(separator: Separator, tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.wav"
    write_audio(path, np.full((1, 800), 0.1, np.float32), 8000)
    written = separator.separate_file(path, [f"a {name}? / ..", "/etc"], tmp_path / "out")
    assert {target.path for target in written} == set((tmp_path / "out").iterdir())
    assert len(written) == 2


def test_consistent_targets_add_up_to_the_input_in_windows_too(
    separator: Separator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(separator, "window", 2.0)
    mixture, _ = dog_in_the_rain(44100, 5.0)
    stereo = np.stack([mixture, 0.3 * mixture[::-1]])
    write_audio(tmp_path / "m.wav", stereo, 44100, "FLOAT")
    queries = ["a dog", "an animal", "rain"]
    written = separator.separate_file(tmp_path / "m.wav", queries, tmp_path / "out", residual=True, consistent=True)
    audio = np.stack([soundfile.read(str(target.path), dtype="float32")[0].T for target in written])
    np.testing.assert_allclose(audio.sum(axis=0), stereo, atol=1e-6)
    apart = separator(stereo, 44100, queries)
    assert np.square(audio[:2].sum(axis=0)).mean() < np.square(apart["a dog"] + apart["an animal"]).mean()
    monkeypatch.setattr(separator, "window", 60.0)
    whole = separator(stereo, 44100, queries, consistent=True)
    for query, found in zip(queries, audio, strict=False):
        error = np.sqrt(np.square(found - whole[query]).mean() / np.square(whole[query]).mean())
        assert 20 * np.log10(error) < -40.0


def test_spans_may_reach_the_end_of_the_recording(separator: Separator, tmp_path: Path) -> None:
    for rate, seconds, start in ((44100, 3.0, 1.5), (48000, 400_000 / 48000, 7.0)):
        audio = np.random.default_rng(0).normal(0, 0.1, (1, round(seconds * rate))).astype(np.float32)
        query = Query(spans=((start, round(seconds, 5)),))
        (target,) = separator(audio, rate, [query]).values()
        assert target.shape == audio.shape
        write_audio(tmp_path / "a.wav", audio, rate, "FLOAT")
        assert separator.separate_file(tmp_path / "a.wav", [query], tmp_path / "out")


def test_excluded_sounds_are_kept_out(separator: Separator, tmp_path: Path) -> None:
    mixture, dog = dog_in_the_rain(96000, 3.0)
    write_audio(tmp_path / "m.wav", mixture[None], 96000, "FLOAT")
    (rest, left) = separator.separate_file(tmp_path / "m.wav", [Query(without=("rain falling",))], tmp_path, True)
    assert rest.query == "without rain falling"
    audio, rain = (soundfile.read(str(target.path), dtype="float32")[0] for target in (rest, left))
    np.testing.assert_allclose(audio + rain, mixture, atol=1e-6)
    assert sdr(dog, audio) > sdr(dog, mixture) + 4.0
    plain, kept = (separator(mixture[None], 96000, [q]) for q in ("an animal", Query("an animal", without=("rain",))))
    assert sdr(mixture - dog, plain["an animal"][0]) > sdr(mixture - dog, kept["an animal"][0]) - 0.1
    # Nothing above the band was identified as rain, so it stays unless --highband says otherwise.
    (dropped,) = separator.separate_file(
        tmp_path / "m.wav", [Query(without=("rain falling",))], tmp_path / "drop", highband="drop"
    )
    high = np.abs(np.fft.rfft(audio))[60000:].sum(), np.abs(np.fft.rfft(mixture))[60000:].sum()
    assert high[0] == pytest.approx(high[1], rel=0.02)
    assert np.abs(np.fft.rfft(soundfile.read(str(dropped.path))[0]))[60000:].sum() < 0.05 * high[1]


def test_a_query_named_as_the_residual_is_refused(separator: Separator, tmp_path: Path) -> None:
    write_audio(tmp_path / "m.wav", np.zeros((1, 800), np.float32), 8000)
    with pytest.raises(InputError, match="--query residual"):
        separator.separate_file(tmp_path / "m.wav", ["residual"], tmp_path, residual=True)


def test_truncated_names_stay_distinct(separator: Separator, tmp_path: Path) -> None:
    names = [f"{'犬' * 80}{number}" for number in range(2)]
    for name in names:
        write_audio(tmp_path / f"{name}.wav", np.full((1, 80), 0.1, np.float32), 8000)
        separator.separate_file(tmp_path / f"{name}.wav", ["a dog barking"], tmp_path / "out")
    found = list((tmp_path / "out").iterdir())
    assert len(found) == 2
    assert all(path.name.endswith("_a_dog_barking.wav") for path in found)


def test_bfloat16_is_close_to_float32(separator: Separator) -> None:
    mixture, _ = dog_in_the_rain(seconds=3.0)
    exact = separator(mixture[None], 32000, ["a dog barking"])["a dog barking"]
    half = Separator(separator.bank, separator.encoder, separator.policy, precision="bf16-mixed")
    near = half(mixture[None], 32000, ["a dog barking"])["a dog barking"]
    assert near.dtype == np.float32
    assert 30.0 < sdr(exact[0], near[0]) < 80.0  # dB; more would be float32's


def test_precision_follows_the_device(separator: Separator, monkeypatch: pytest.MonkeyPatch) -> None:
    card = torch.device("cuda")
    for capability, bfloat16 in (((7, 5), False), ((8, 0), True), ((9, 0), True)):
        monkeypatch.setattr("torch.cuda.get_device_capability", lambda device, found=capability: found)
        assert in_bfloat16("auto", card) == bfloat16
        assert not in_bfloat16("32-true", card)
    assert not in_bfloat16("auto", torch.device("cpu"))
    assert in_bfloat16("bf16-mixed", torch.device("cpu"))
    with pytest.raises(InputError, match="--precision float8: must be one of auto, 32-true, bf16-mixed"):
        Separator(separator.bank, separator.encoder, separator.policy, precision="float8")  # type: ignore[arg-type]
