"""Measurements of embedding clips with a CLAP model of the published size."""

from __future__ import annotations

import tempfile
from pathlib import Path
from unittest import mock

import soundfile
import torch
import torchaudio

from benchmarks.measuring import fastest
from dplass_cli.audio.writing import write_audio
from dplass_cli.encoders.cache import EmbeddingCache
from dplass_cli.encoders.clips import Clip, embed_clips
from dplass_cli.encoders.laion import LaionConfig, LaionEncoder
from dplass_cli.encoders.laion_audio import LogMel
from dplass_cli.encoders.laion_model import build_clap, fill_buffers
from dplass_cli.sounds import render


def clap(device: torch.device) -> LaionEncoder:
    """LAION's CLAP of the published size with random weights, which do not affect its speed."""
    network = build_clap("base", False).to_empty(device="cpu")
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.is_floating_point():
            tensor.data.uniform_(0.01, 0.03)
        else:
            tensor.data.zero_()
    # The windows of attention are made of indices; without them the tower would read elsewhere.
    fill_buffers(network)
    return LaionEncoder(LaionConfig(), network, None, device)  # type: ignore[arg-type]


@torch.inference_mode()
def embedding(encoder: LaionEncoder, clips: int, repeats: int) -> dict[str, float]:
    """Embed files, against one clip at a time with features on the CPU, whose filters are computed for every clip."""
    with tempfile.TemporaryDirectory() as name:
        files = [Path(name) / f"{number}.flac" for number in range(clips)]
        for number, file in enumerate(files):
            write_audio(file, render("rain", 3000 + number, 10.0, 44100)[None], 44100, "PCM_16")

        def plain_procedure() -> None:
            for file in files:
                samples, rate = soundfile.read(file, dtype="float32")
                waveform = torchaudio.functional.resample(torch.from_numpy(samples), rate, 48000)
                waveform = (waveform.clamp(-1, 1) * 32767).to(torch.int16).float() / 32767
                mel = LogMel(False)(waveform[None, :480000])  # on the CPU, with new filters
                with mock.patch.object(encoder._log_mel, "forward", return_value=mel.to(encoder._device)):
                    encoder._embed_windows(waveform[None])

        ours = fastest(lambda: list(embed_clips([Clip(file, 0.0, None) for file in files], encoder)), repeats)
        theirs = fastest(plain_procedure, repeats)
        with_cache = EmbeddingCache(Path(name) / "cache", encoder)
        found = [Clip(file, 0.0, None) for file in files]
        list(embed_clips(found, encoder, with_cache))
        with_cache.refresh()
        again = fastest(lambda: list(embed_clips(found, encoder, with_cache)), repeats)
    return {
        "plain_clips_per_s": clips / theirs,
        "ours_clips_per_s": clips / ours,
        "time_of_plain": ours / theirs,
        "cached_time_of_plain": again / theirs,
    }
