"""The tiny encoder: any sentence, any length of sound, the same embedding twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dplass_cli.audio.reading import read_mono
from dplass_cli.encoders import QueryEncoder, TinyEncoder, TinyEncoderConfig, load_encoder, save_tiny_encoder
from dplass_cli.errors import InputError


@pytest.fixture(scope="module")
def encoder() -> QueryEncoder:
    return load_encoder("tiny")


def heard(path: Path) -> torch.Tensor:
    return torch.from_numpy(read_mono(path, 32000))[None]


def test_any_sentence_has_a_unit_embedding_of_its_own(encoder: QueryEncoder) -> None:
    sentences = ["a dog barking", "", "?!", "ΣΩ 雨", "x" * 5000, "the " * 300 + "dog", "zyxqw"]
    together = encoder.embed_text(sentences)
    assert together.shape == (7, encoder.size)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(7))
    fresh = load_encoder("tiny")
    for sentence, embedding in zip(reversed(sentences), reversed(together), strict=True):
        torch.testing.assert_close(fresh.embed_text([sentence])[0], embedding, atol=1e-6, rtol=0)


def test_wordings_of_one_sound_are_near(encoder: QueryEncoder) -> None:
    dog, puppy, rain = encoder.embed_text(["a dog barking", "the puppy yaps", "rain falls on a roof"])
    assert dog @ puppy > 0.5
    assert dog @ rain < 0.3


def test_sounds_are_nearest_their_sentence(encoder: QueryEncoder, clips: dict[str, Path]) -> None:
    names = list(clips)
    audio = torch.cat([encoder.embed_audio(heard(clips[name]), 32000) for name in names])
    text = encoder.embed_text([name.replace("_", " ") for name in names])
    right = (audio @ text.T).argmax(1) == torch.arange(len(names))
    assert right.float().mean() >= 0.75


def test_audio_embeddings_do_not_depend_on_batch_or_level(encoder: QueryEncoder, clips: dict[str, Path]) -> None:
    audio = torch.cat([heard(path) for path in clips.values()])
    together = encoder.embed_audio(audio, 32000)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(len(audio)))
    for row in range(len(audio)):
        torch.testing.assert_close(encoder.embed_audio(audio[row : row + 1], 32000)[0], together[row], atol=0, rtol=0)
    torch.testing.assert_close(encoder.embed_audio(0.1 * audio, 32000), together, atol=1e-4, rtol=0)


@pytest.mark.parametrize("seconds", [0.01, 0.4, 9.99, 10.3, 25.0])
def test_any_length_and_rate(encoder: QueryEncoder, seconds: float) -> None:
    torch.manual_seed(0)
    embedding = encoder.embed_audio(torch.randn(1, round(seconds * 16000)), 16000)
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(1))


def test_silence_has_an_embedding(encoder: QueryEncoder) -> None:
    assert torch.isfinite(encoder.embed_audio(torch.zeros(1, 16000), 32000)).all()


def test_save_and_load(tmp_path: Path) -> None:
    torch.manual_seed(0)
    small = TinyEncoder(TinyEncoderConfig(size=16, buckets=64, word_size=8, hidden=8, widths=(4, 8))).eval()
    save_tiny_encoder(tmp_path / "e.safetensors", small, torch.float32)
    again = load_encoder(tmp_path / "e.safetensors")
    assert again.fingerprint == small.fingerprint
    assert torch.equal(again.embed_text(["a b"]), small.embed_text(["a b"]))
    assert small.fingerprint != TinyEncoder(small.config).fingerprint


def test_files_without_an_encoder_are_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "x.pt")
    with pytest.raises(InputError, match=r"x.pt: contains no query encoder"):
        load_encoder(tmp_path / "x.pt")
    with pytest.raises(InputError, match="no such checkpoint"):
        load_encoder(tmp_path / "y.pt")


def test_works_without_laion_clap_and_network() -> None:
    code = (
        "import sys, socket\n"
        "sys.modules['laion_clap'] = None\n"  # importing it fails
        "def refuse(*a, **k): raise AssertionError('the network was touched')\n"
        "socket.socket.connect = refuse\n"
        "import numpy, dplass_cli\n"
        "separator = dplass_cli.Separator.from_pretrained(device='cpu')\n"
        "separator(numpy.ones((1, 4000), dtype=numpy.float32), 32000, ['a dog'])\n"
        "assert 'wandb' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
