"""The tiny encoder: any sentence, any length of sound, the same embedding twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dplass_cli.audio.reading import read_mono
from dplass_cli.encoders import QueryEncoder, load_encoder


@pytest.fixture(scope="module")
def encoder() -> QueryEncoder:
    return load_encoder("tiny")


def heard(path: Path) -> torch.Tensor:
    return torch.from_numpy(read_mono(path, 32000))[None]


def test_every_sentence_has_its_own_unit_embedding(encoder: QueryEncoder) -> None:
    sentences = ["a dog barking", "", "?!", "ΣΩ 雨", "x" * 5000, "the " * 300 + "dog", "zyxqw"]
    together = encoder.embed_text(sentences)
    assert together.shape == (7, encoder.size)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(7))
    fresh = load_encoder("tiny")
    for sentence, embedding in zip(reversed(sentences), reversed(together), strict=True):
        torch.testing.assert_close(fresh.embed_text([sentence])[0], embedding, atol=1e-6, rtol=0)


def test_wordings_of_one_sound_have_similar_embeddings(encoder: QueryEncoder) -> None:
    dog, puppy, rain = encoder.embed_text(["a dog barking", "the puppy yaps", "rain falls on a roof"])
    assert dog @ puppy > 0.5
    assert dog @ rain < 0.3


def test_sounds_are_nearest_to_their_sentence(encoder: QueryEncoder, clips: dict[str, Path]) -> None:
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
def test_audio_of_any_length_is_embedded(encoder: QueryEncoder, seconds: float) -> None:
    torch.manual_seed(0)
    embedding = encoder.embed_audio(torch.randn(1, round(seconds * 16000)), 16000)
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(1))


def test_silence_is_embedded(encoder: QueryEncoder) -> None:
    assert torch.isfinite(encoder.embed_audio(torch.zeros(1, 16000), 32000)).all()


def test_separating_needs_neither_laion_clap_nor_the_network() -> None:
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
