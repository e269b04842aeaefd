"""Augmentations of mel inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from level_encoder import LevelEncoder

from dplass_cli.audio.writing import write_audio
from dplass_cli.encoders import TinyEncoder, TinyEncoderConfig
from dplass_cli.encoders.clips import Clip
from dplass_cli.errors import InputError
from dplass_cli.options.head_options import HeadSettings
from dplass_cli.tagging.mel_augmentations import MelAugmenter, mix_style, mix_up


@pytest.fixture(scope="module")
def encoder() -> TinyEncoder:
    torch.manual_seed(0)
    return TinyEncoder(TinyEncoderConfig(size=8, buckets=16, word_size=4, hidden=8, mels=16, widths=(4, 4))).eval()


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    folder, rng = tmp_path_factory.mktemp("clips"), np.random.default_rng(0)
    for number, seconds in enumerate((0.5, 1.5, 2.0)):
        write_audio(folder / f"{number}.wav", rng.normal(0, 0.1, (1, round(32000 * seconds))).astype(np.float32), 32000)
    return [Clip(folder / f"{number}.wav", 0.0, None) for number in range(3)]


def test_mixstyle_gives_each_band_statistics_between_both() -> None:
    mel = torch.randn(1, 1, 4, 50, generator=torch.Generator().manual_seed(0))
    other = 3.0 * torch.randn(1, 1, 4, 70, generator=torch.Generator().manual_seed(1)) + 5.0
    torch.testing.assert_close(mix_style(mel, other, 1.0), mel)
    mixed = mix_style(mel, other, 0.25)
    torch.testing.assert_close(mixed.mean(-1), 0.25 * mel.mean(-1) + 0.75 * other.mean(-1))
    deviations = [each.std(-1, unbiased=False) for each in (mel, other)]
    torch.testing.assert_close(mixed.std(-1, unbiased=False), 0.25 * deviations[0] + 0.75 * deviations[1])


def test_mixup_repeats_a_shorter_partner() -> None:
    mel, other = torch.zeros(1, 1, 1, 5), torch.tensor([1.0, 2.0]).view(1, 1, 1, 2)
    assert mix_up(mel, other, 0.75).flatten().tolist() == [0.25, 0.5, 0.25, 0.5, 0.25]


def test_copies_are_embedded_and_repeatable(encoder: TinyEncoder, clips: list[Clip]) -> None:
    def copies() -> list[tuple[int, int, float, list[float]]]:
        augment = MelAugmenter(encoder, ("mixup", "freq-mixstyle"), HeadSettings(copies=2), seed=1)
        return [(each.row, each.partner, each.share, each.vector.tolist()) for each in augment(clips)]

    found = copies()
    assert [row for row, *_ in found] == [0, 1, 2, 0, 1, 2]
    assert all(0.0 <= share <= 1.0 for _, _, share, _ in found)
    assert found == copies()


def test_an_impulse_that_changes_nothing_gives_the_clips_embedding(
    encoder: TinyEncoder, clips: list[Clip], tmp_path: Path
) -> None:
    write_audio(tmp_path / "response.wav", np.eye(1, 64, dtype=np.float32), 32000, "FLOAT")
    augment = MelAugmenter(encoder, ("impulse",), HeadSettings(copies=1), 1, tmp_path)
    (copy,) = augment(clips[2:])
    assert (copy.row, copy.partner, copy.share) == (0, 0, 1.0)
    from dplass_cli.audio.reading import read_mono

    plain = encoder.embed_audio([torch.from_numpy(read_mono(clips[2].wav, 32000))], 32000)[0]
    np.testing.assert_allclose(copy.vector, plain, atol=1e-4)


def test_what_cannot_be_augmented_is_refused(encoder: TinyEncoder) -> None:
    with pytest.raises(InputError, match=r"^--augment: works on the mel inputs of tiny encoders, not of level"):
        MelAugmenter(LevelEncoder(), ("mixup",), HeadSettings(), 0)
    with pytest.raises(InputError, match=r"^--augment impulse: needs impulse responses"):
        MelAugmenter(encoder, ("impulse",), HeadSettings(), 0)
