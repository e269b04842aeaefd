"""Writes the seed corpus: a few small valid inputs for each target.

Run ``python tests/fuzz/seeds.py`` after a format has changed.
"""

from __future__ import annotations

import io
import json
import pickle
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import soundfile
import torch
from fuzz.harness import CORPUS, sandbox
from fuzz.targets import BENCHMARKS, CORPUS_KINDS, SUFFIXES, bundled_encoder, valid_partition, valid_results
from small_banks import write_small_bank
from small_networks import SMALL, loaded, small_network

from dplass_cli.adapters.dplass_format import to_published
from dplass_cli.encoders.cache import EmbeddingCache, embedding_key
from dplass_cli.models import save_base
from dplass_cli.options.adapter_settings import AdapterSettings
from dplass_cli.sounds import render
from dplass_cli.storage import write_json
from dplass_cli.weights.checkpoint_files import write_safetensors

Seeds = Iterator[tuple[str, bytes]]

TABLES = {
    "custom": "idx,caption,src_wav,noise_wav,snr_db\n0,a dog barking,a.wav,b.wav,0\n1,rain,b.wav,a.wav,-3.5\n",
    "audioset": "mixture,source,caption\nm.wav,s.wav,rain\n",
}
LISTS = {
    "audiocaps": "audiocap_id,youtube_id,start_time,caption\n1,abcdefghijk,30,A dog barks\n",
    "clotho": "file_name,caption_1,caption_2,caption_3,caption_4,caption_5\na.wav,one,two,three,four,five\n",
    "csv": 'wav,caption,labels,id,start,end\na.wav,a dog barking,"/m/1,/m/2",a,0,2.5\n',
    "esc50": "filename,fold,target,category\na.wav,1,0,door_wood_knock\n",
    "fsd50k": 'fname,labels,mids,split\na,"Bark,Dog","/m/1,/m/2",train\n',
    "music21": json.dumps({"videos": {"flute": ["abcdefghijk"]}}),
    "vggsound": "abcdefghijk,30,dog barking,train\n",
    "wavcaps": json.dumps({"data": [{"id": "a", "caption": "rain falls", "duration": 2.0}]}),
    "audioldm": json.dumps({"metadata": {"path": {"own": {"train": "list.json"}}}, "own": "."}),
}


def tables() -> Seeds:
    """Lists of clips and tables of items."""
    for number, text in enumerate(
        (
            '# Segments csv\n# YTID, start_seconds, …\nabcdefghijk, 30.000, 40.000, "/m/1,/m/2"\n',
            "segment_id\tstart_time_seconds\tend_time_seconds\tlabel\nabcdefghijk_30000\t0.5\t2.25\t/m/1\n",
            'index,mid,display_name\n0,/m/1,"Dog"\n1,/m/2,"Bark, woof"\n',
            "/m/1\tDog\n/m/2\tBark\n",
            "abcdefghijk\nABCDEFGHIJK\n",
            "youtube_id,caption\nabcdefghijk,A dog barks\n",
            "clips/a.wav\n/clips/b.wav\n",
        )
    ):
        yield "audioset", bytes([number]) + text.encode()
    for number, name in enumerate(CORPUS_KINDS):
        yield "corpus", bytes([number]) + LISTS[name].encode()
    shared = Path(__file__).parents[3] / "shared" / "data" / "benchmarks"
    for number, name in enumerate(BENCHMARKS):
        text = TABLES.get(name)
        if (shared / f"{name}_eval.csv").is_file():
            text = "".join((shared / f"{name}_eval.csv").read_text().splitlines(keepends=True)[:3])
        if text is not None:
            yield "benchmark", bytes([number]) + text.encode()


def texts() -> Seeds:
    """Manifests, options, lists, sentences, requests."""
    rows = [
        {"wav": "a.wav", "caption": "rain"},
        {"wav": "/b.flac", "caption": "a dog", "labels": ["/m/1"], "id": "b", "start": 0.5, "end": 2},
    ]
    yield "manifest", json.dumps({"data": rows}).encode()
    yield "manifest", json.dumps({"source": {"x": [1, None]}, "data": rows[:1], "more": "\u00e9\\ud83d"}).encode()
    yield "json", json.dumps({"a": [1, 2.5, None, "\ud83d\ude00"], "b": {"c": True}}).encode()
    yield "lock", json.dumps({"files": {"x/y.pt": {"sha256": "ab", "size": 3, "source": "hf://x"}}}).encode()
    dplass_config = (
        "train:\n  max_epochs: 3\n  optimizer: {learning_rate: 1e-4}\nadapter: &a\n  rank: 4\n  alpha: {conv: 2.0}\n"
    )
    yield "options", b"\x00" + dplass_config.encode()
    yield "options", b"\x00" + b"data: {augment: {gain: {}, shift: {}}, seconds: 2}\nnetwork: {channels: [4, 8]}\n"
    audiosep_config = (
        "data: {sampling_rate: 32000, segment_seconds: 5}\ntrain: {optimizer: {learning_rate: 1e-3}, num_workers: 16}\n"
    )
    yield "options", b"\x01" + audiosep_config.encode()
    yield "options", b"\x02query: [rain, a dog]\nclip: scale\nsilence_if_absent: 0.5\ninputs: x.wav\n"
    yield "options", b"\x03port=80\nallow_host=[a, b]\nmax_seconds=1e3"
    yield "options", b"\x04words: {dogg: dog}\nmay_repeat: [very]\n"
    yield "options", b"\x05model:\n  what: x\n  licence: MIT\n  url: https://x\n  files: [{path: a/b.pt, size: 3}]\n"
    yield "listing", b"\x00a.wav\ta dog barking\tout/name\n# no\nb.flac\train\nb.flac\nc.wav\n"
    yield "listing", b"\x013.2-4.0,6-7"
    yield "listing", "\x02a dog\nrain, heavy!\n\u96e8".encode()
    yield "sentences", "a dog barking\nno\u00e9l \u96e8\n!!".encode()
    yield "request", b"GET /\nhost: localhost:7860\n\n"
    yield "request", b"GET /jobs/abc\nhost: 127.0.0.1\n\n"
    yield "request", b"GET /jobs/abc/1.wav\nhost: [::1]:7860\n\n"
    yield "request", b"GET /jobs/abc/mix.mp3?gain=1:-6&gain=residual&gian=2\nhost: localhost\n\n"
    yield "request", b"GET /recordings/abc/suggestions\nhost: localhost\n\n"
    yield "request", b"POST /jobs?recording=abc&remove=wind&query=remove%20the%20rain\nhost: localhost\n\n"
    yield "request", b"DELETE /jobs/abc\nhost: localhost\norigin: http://localhost\nsec-fetch-site: same-origin\n\n"
    head = b"POST /jobs?query=rain&query=a%20dog\nhost: localhost\ncontent-length: 300\ncontent-type: audio/wav\n\n"
    for form in ("WAV", "FLAC"):
        yield "request", head + encoded(form, 0.02)


def encoded(form: str, seconds: float = 0.1, rate: int = 16000, subtype: str | None = None, channels: int = 1) -> bytes:
    """The bytes of a file with a built-in sound."""
    stream = io.BytesIO()
    sound = np.stack([render("rain", 1, 0.25, rate)[: round(seconds * rate)]] * channels, axis=1)
    soundfile.write(stream, sound, rate, subtype, format=form)
    return stream.getvalue()


def sounds() -> Seeds:
    """Audio files of every container, and one that only FFmpeg decodes."""
    forms = {".wav": "WAV", ".flac": "FLAC", ".ogg": "OGG", ".mp3": "MP3", ".aiff": "AIFF", ".au": "AU", ".caf": "CAF"}
    for number, suffix in enumerate(SUFFIXES):
        if suffix in forms:
            yield "audio", bytes([number]) + encoded(forms[suffix])
    yield "audio", bytes([SUFFIXES.index(".opus")]) + encoded("OGG", subtype="OPUS")
    yield "audio", bytes([SUFFIXES.index(".w64")]) + encoded("W64", 0.02)
    yield "audio", b"\x00" + encoded("WAV", 0.02, 44100, "FLOAT", 2)
    yield "audio", b"\x00" + encoded("WAV", 0.02, 22050, "ULAW")
    yield "audio", b"\x00" + encoded("RF64", 0.02)
    yield "ffmpeg", encoded("OGG", 0.1)
    stream = io.BytesIO()
    import av

    with av.open(stream, "w", format="ipod") as container:
        track = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(render("rain", 1, 0.25, 16000)[None], format="fltp", layout="mono")
        frame.sample_rate = 16000
        for packet in [*track.encode(frame), *track.encode(None)]:
            container.mux(packet)
    yield "ffmpeg", stream.getvalue()


def folders(place: Path) -> Seeds:
    """Every file of a valid partition, bank, adapter, evaluation and cache; checkpoints."""
    encoder = bundled_encoder()
    write_small_bank(place)
    valid_partition(encoder).save(place / "partition")
    write_json(
        place / "partition" / "published.json", {"cluster0": {"cluster_id": 0, "categories_in_cluster": ["Bark"]}}
    )
    valid_results(place / "results")
    EmbeddingCache(place / "cache", encoder).add(
        [embedding_key(name) for name in "abc"], np.ones((3, encoder.size), np.float32)
    )
    sources = {
        "partition": "partition",
        "bank": "bank",
        "adapter": "bank/domain0",
        "results": "results",
        "cache": "cache",
    }
    for name, folder in sources.items():
        files = sorted(path for path in (place / folder).rglob("*") if path.is_file())
        for number, path in enumerate(files):
            yield name, bytes([number]) + path.read_bytes()
    small = small_network(0, SMALL)
    save_base(place / "small.safetensors", small, None, torch.float16)
    yield "weights", b"\x00" + (place / "small.safetensors").read_bytes()
    write_safetensors(
        place / "encoder.safetensors", {"x": torch.zeros(2)}, {"format": "dplass-tiny-encoder-1", "config": {"size": 2}}
    )
    yield "weights", b"\x00" + (place / "encoder.safetensors").read_bytes()
    tensors = {"ss_model.base.bn0.weight": torch.ones(3), "epoch": 3, "loss": np.float64(0.5)}
    for number, legacy in ((1, False), (2, True)):
        stream = io.BytesIO()
        torch.save({"state_dict": tensors, "epoch": 3}, stream, _use_new_zipfile_serialization=not legacy)
        yield "weights", bytes([number]) + stream.getvalue()
        yield "pickled", stream.getvalue()
    for method in ("reconv", "dora"):
        state = to_published(loaded(small, AdapterSettings(method)), small)["dora_state_dict"]
        stream = io.BytesIO()
        torch.save({"dora_state_dict": {k: v for k, v in state.items() if "stft" not in k}}, stream)
        yield "pickled", stream.getvalue()
    yield from malicious()


class _PickledCall:
    """Unpickles by calling a function."""

    def __init__(self, call: object, *arguments: object) -> None:
        self._reduced = call, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self._reduced


def malicious() -> Seeds:
    """Checkpoints that would execute code when unpickled without restrictions."""
    import os
    import subprocess

    calls = [
        _PickledCall(os.system, "touch /tmp/dplass-was-here"),
        _PickledCall(eval, "__import__('os').system('touch /tmp/dplass-was-here')"),
        _PickledCall(subprocess.Popen, ["touch", "/tmp/dplass-was-here"]),
        _PickledCall(open, "/tmp/dplass-was-here", "w"),
    ]
    for call in calls:
        for new in (True, False):
            stream = io.BytesIO()
            torch.save({"state_dict": call}, stream, _use_new_zipfile_serialization=new)
            yield "pickled", stream.getvalue()
        yield "weights", b"\x01" + pickle.dumps(call)


def main() -> None:
    """Replace the corpus."""
    with sandbox() as place:
        seeds = [*tables(), *texts(), *sounds(), *folders(place)]
    for name in {name for name, _ in seeds}:
        shutil.rmtree(CORPUS / name, ignore_errors=True)
        (CORPUS / name).mkdir(parents=True)
    counts: dict[str, int] = {}
    for name, data in seeds:
        counts[name] = counts.get(name, -1) + 1
        (CORPUS / name / f"{counts[name]:02d}").write_bytes(data)


if __name__ == "__main__":
    main()
