"""Tables of mixtures, and mixing their rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dplass_cli.audio.writing import write_audio
from dplass_cli.data.manifest import Row
from dplass_cli.data.mixture_tables import Mixture, read_mixtures, render, write_mixtures
from dplass_cli.errors import InputError

HEAD = "idx,caption,src_wav,noise_wav,snr_db\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("idx,caption,src_wav,noise_wav\n", "no column 'snr_db'"),
        (HEAD, "the table has a header and no rows"),
        (HEAD + "0,a,b,c,0\n1,a,,c,0\n", "line 3: 'src_wav' is empty"),
        (HEAD + "0,a,b,c,loud\n", "line 2: snr_db must be a number, not 'loud'"),
        (HEAD + "0,a,b,c,nan\n", "line 2: snr_db must be a number"),
        (HEAD + "0,a,b,c,-1e300\n", "line 2: snr_db must be within ±200 dB, not '-1e300'"),
        (HEAD + "0,a,b\n", "line 2: 'noise_wav' is empty"),
        (HEAD + "0,a dog, then a man,b,c,0\n", "line 2: expected 5 fields, not 6; quote commas"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError) as error:
        read_mixtures(tmp_path / "t.csv")
    assert says in str(error.value)


@pytest.mark.parametrize(("start", "line"), [('"', 1), (HEAD + '"', 2), (HEAD + '0,a,b,c,0\n1,"', 3)])
def test_an_unclosed_quote_is_refused_with_its_line(tmp_path: Path, start: str, line: int) -> None:
    (tmp_path / "t.csv").write_text(start + "a,b,c,d,0\n" * 120_000)
    with pytest.raises(InputError, match=rf"t.csv: line {line}: not CSV \(field larger than"):
        read_mixtures(tmp_path / "t.csv")


def test_names_are_below_the_audio_folder(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(
        b"\xef\xbb\xbf" + HEAD.replace("\n", "\r\n").encode() + b'0,"a, b",x.wav,/y.wav,-3\r\n'
    )
    for folder, expected in ((None, tmp_path), (Path("/audio"), Path("/audio"))):
        (mixture,) = read_mixtures(tmp_path / "t.csv", folder)
        assert (mixture.source.wav, mixture.noise.wav) == (expected / "x.wav", Path("/y.wav"))
        assert (mixture.idx, mixture.source.caption, mixture.snr_db) == ("0", "a, b", -3.0)


def test_fields_at_the_end_may_be_left_out(tmp_path: Path) -> None:
    head = HEAD.replace("\n", ",src_start,src_end\n")
    (tmp_path / "t.csv").write_text(head + "0,a,b,c,0\n1,a,b,c,0,1.0,2.0,\n")
    assert [mixture.source.start for mixture in read_mixtures(tmp_path / "t.csv")] == [0.0, 1.0]


def test_tables_survive_a_round_trip(tmp_path: Path) -> None:
    plain = Mixture(Row(Path("/a.wav"), "x"), Row(Path("/b.wav"), ""), 2.5, "0")
    ranged = Mixture(Row(Path("/a.wav"), "y", start=1.0), Row(Path("/b.wav"), "", start=0.5, end=3.0), 0.0, "1")
    write_mixtures(tmp_path / "t.csv", [plain, ranged])
    assert read_mixtures(tmp_path / "t.csv") == [plain, ranged]
    write_mixtures(tmp_path / "p.csv", [plain])
    assert (tmp_path / "p.csv").read_text().startswith(HEAD)


def noisy(path: Path, seconds: float, level: float, seed: int) -> Row:
    audio = level * np.random.default_rng(seed).standard_normal(round(seconds * 8000))
    write_audio(path, audio[None].astype(np.float32), 8000)
    return Row(path, "x")


@pytest.mark.parametrize("snr", [-6.0, 0.0, 9.0])
def test_rows_are_mixed_at_their_ratio_over_five_seconds(tmp_path: Path, snr: float) -> None:
    short, long = noisy(tmp_path / "s.wav", 3.0, 0.01, 0), noisy(tmp_path / "l.wav", 7.0, 0.2, 1)
    mixture, target = render(Mixture(short, long, snr), 8000)
    assert mixture.shape == target.shape == (40000,)
    assert not target[24000:].any()
    ratio = np.square(target).mean() / np.square(mixture - target).mean()
    assert 10 * np.log10(ratio) == pytest.approx(snr, abs=1e-3)


def test_clipping_rows_are_scaled_with_their_targets(tmp_path: Path) -> None:
    source = noisy(tmp_path / "s.wav", 5.0, 0.5, 0)
    mixture, target = render(Mixture(source, noisy(tmp_path / "n.wav", 5.0, 0.1, 1)), 8000)
    assert np.abs(mixture).max() == pytest.approx(0.9)
    ratio = np.square(target).mean() / np.square(mixture - target).mean()
    assert 10 * np.log10(ratio) == pytest.approx(0.0, abs=1e-3)


def test_further_noises_survive_a_round_trip(tmp_path: Path) -> None:
    source, first, second = Row(Path("/a.wav"), "x"), Row(Path("/b.wav"), ""), Row(Path("/c.wav"), "")
    two, three = Mixture(source, first, 1.0, "0"), Mixture(source, first, 2.5, "1", (second,))
    write_mixtures(tmp_path / "t.csv", [two, three])
    head, *lines = (tmp_path / "t.csv").read_text().splitlines()
    assert head == HEAD.strip() + ",noise2_wav"
    assert lines == ["0,x,/a.wav,/b.wav,1.0,", "1,x,/a.wav,/b.wav,2.5,/c.wav"]
    assert read_mixtures(tmp_path / "t.csv") == [two, three]
    ranged = replace(three, further_noises=(replace(second, start=1.5, end=2.0), first))
    write_mixtures(tmp_path / "r.csv", [replace(two, idx="0"), ranged])
    assert read_mixtures(tmp_path / "r.csv") == [two, ranged]


def test_several_noises_have_the_same_energy_and_together_the_ratio(tmp_path: Path) -> None:
    clips = [noisy(tmp_path / f"{n}.wav", 5.0, level, n) for n, level in enumerate((0.05, 0.2, 0.002))]
    mixture, target = render(Mixture(clips[0], clips[1], 3.0, further_noises=(clips[2],)), 8000)
    noise = mixture - target
    assert 10 * np.log10(np.square(target).sum() / np.square(noise).sum()) == pytest.approx(3.0, abs=1e-3)
    parts = np.stack([np.random.default_rng(seed).standard_normal(40000) for seed in (1, 2)])
    shares = np.linalg.lstsq(parts.T, noise, rcond=None)[0]
    assert shares[0] == pytest.approx(shares[1], rel=0.02)


@pytest.mark.parametrize(("name", "text"), [("t.csv", "file,caption\na.wav,a dog\n"), ("train.json", '{"data": []}')])
def test_captions_without_mixtures_are_refused(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(
        InputError, match=rf"{name}: lists captions and no mixtures.*; make a .* dplass prepare mixtures"
    ):
        read_mixtures(tmp_path / name)


def test_stereo_rows_are_mixed_at_the_ratio_of_all_channels(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for name, sides in (("a", (0.1, 0.02)), ("b", (0.0, 0.05))):
        audio = generator.standard_normal((2, 5 * 8000)) * np.array(sides)[:, None]
        write_audio(tmp_path / f"{name}.wav", audio.astype(np.float32), 8000, "FLOAT")
    row = Mixture(Row(tmp_path / "a.wav", "a"), Row(tmp_path / "b.wav", "b"), 6.0)
    mixture, target = render(row, 8000, channels=2)
    assert mixture.shape == target.shape == (2, 40000)
    np.testing.assert_array_equal(mixture[0], target[0])  # the noise is on the right
    noise = mixture - target
    assert 10 * np.log10(np.square(target).mean() / np.square(noise).mean()) == pytest.approx(6.0, abs=1e-3)
