"""LAION's CLAP: golden numbers, all forms of its file, any length of sound, and files that are refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from golden_stages import quantised, sampled, worst
from safetensors.torch import save_file
from torch import Tensor
from torchaudio.transforms import AmplitudeToDB, MelSpectrogram

from dplass_cli.audio.resampling import resample_tensor
from dplass_cli.encoders import LaionConfig, LaionEncoder, load_encoder
from dplass_cli.encoders.laion import load_laion
from dplass_cli.encoders.laion_audio import fill_window
from dplass_cli.encoders.laion_text import pad
from dplass_cli.errors import InputError
from dplass_cli.models import ResUNet30
from dplass_cli.separation.separator import Separator

States = dict[bool, dict[str, Tensor]]
PATCHES = "audio_branch.patch_embed.proj.weight"


def seconds(amount: float, rate: int = 16000, seed: int = 0) -> Tensor:
    return 0.1 * torch.randn(1, round(amount * rate), generator=torch.Generator().manual_seed(seed))


# --- The published numbers, on the published encoder -----------------------------------------------------------------


def test_the_layout_is_laions(laion: LaionEncoder, clap_layout: dict[str, Any]) -> None:
    entries = {e["key"]: tuple(e["shape"]) for e in clap_layout["entries"] if "_extractor." not in e["key"]}
    own = laion._clap.state_dict()
    assert {key: tuple(tensor.shape) for key, tensor in own.items()} == entries
    kernels = sum(np.prod(e["shape"]) for e in clap_layout["entries"] if "_extractor." in e["key"])
    parameters = sum(parameter.numel() for parameter in laion._clap.parameters())
    assert parameters + kernels == clap_layout["totals"]["parameters_all"] == 199564633
    assert laion.config == LaionConfig("base", fusion=False)
    assert not any(parameter.requires_grad for parameter in laion._clap.parameters())
    assert not laion._clap.training


@torch.inference_mode()
def test_text_embeddings_equal_the_golden_ones(laion: LaionEncoder, golden_clap: dict[str, Any]) -> None:
    stages: dict[str, Tensor] = {}
    hook = laion._clap.text_branch.register_forward_hook(
        lambda module, args, output: stages.update(
            text_last_hidden_first_token=output["last_hidden_state"][:, 0], text_pooler_output=output["pooler_output"]
        )
    )
    ids = torch.from_numpy(golden_clap["input_ids"]).long()
    mask = torch.from_numpy(golden_clap["attention_mask"]).long()
    got = laion._embed_tokens({"input_ids": ids, "attention_mask": mask})
    hook.remove()
    assert worst(got, golden_clap["text_embedding"]) <= 2e-6
    for name, stage in stages.items():
        assert worst(stage, golden_clap[f"stage/{name}"]) <= 1e-4, name

    # As sentences come: one at a time, without padding.
    for row, expected in enumerate(golden_clap["text_embedding"]):
        alone = laion._embed_tokens(pad([ids[row, : int(mask[row].sum())].tolist()]))
        assert worst(alone[0], expected) <= 2e-6


def test_audio_embeddings_and_stages_equal_the_golden_ones(laion: LaionEncoder, golden_clap: dict[str, Any]) -> None:
    audio = {name: torch.from_numpy(golden_clap[f"audio_{name}_int16"])[None] / 8192 for name in ("10s", "3s")}
    for name, waveform in audio.items():
        expected = golden_clap[f"audio_embedding_{name}_unquantised"]
        assert worst(laion.embed_audio(waveform, 48000), expected) <= 2e-6
    assert worst(laion.embed_audio(quantised(audio["3s"]), 48000), golden_clap["audio_embedding_3s_quantised"]) <= 2e-6

    branch = laion._clap.audio_branch
    parts = {"bn0": branch.bn0, "patch_embed": branch.patch_embed, "norm": branch.norm, "tscam_conv": branch.tscam_conv}
    parts |= {f"layers.{n}": layer for n, layer in enumerate(branch.layers)}
    stages: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[..., None]:
        return lambda module, args, output: stages.update({name: output[0] if isinstance(output, tuple) else output})

    hooks = [part.register_forward_hook(keep(name)) for name, part in parts.items()]
    got = laion.embed_audio(quantised(audio["10s"]), 48000)
    for hook in hooks:
        hook.remove()
    assert worst(got, golden_clap["audio_embedding_10s_quantised"]) <= 2e-6
    assert len(stages) == 8
    for name, stage in stages.items():
        assert worst(sampled(stage), golden_clap[f"stage/audio_{name}"]) <= 1e-4, name


def test_audio_of_another_rate_equals_the_golden_embedding(laion: LaionEncoder, golden_clap: dict[str, Any]) -> None:
    audio = torch.from_numpy(golden_clap["audio_32k_2s_int16"]) / 32768
    resampled = resample_tensor(audio, 32000, 48000)
    assert resampled.shape[1] == golden_clap["audio_32k_resampled_length"]
    assert worst(resampled[:, ::32], golden_clap["audio_32k_resampled_48k_every32"]) <= 1e-6
    assert worst(resampled[:, -2048:], golden_clap["audio_32k_resampled_48k_last2048"]) <= 1e-6
    got = laion.embed_audio(audio, 32000)
    assert worst(got, golden_clap["audio_embedding_32k_query_path"]) <= 2e-6
    laion._batch, before = 2, laion._batch
    try:
        torch.testing.assert_close(laion.embed_audio(audio, 32000), got, atol=1e-5, rtol=0)
    finally:
        laion._batch = before


# --- Sentences --------------------------------------------------------------------------------------------------------


@pytest.fixture
def small(small_roberta: None, small_states: States, tokenizer_folder: Path) -> LaionEncoder:
    return load_laion(small_states[False], "clap.pt", tokenizer_folder)


def test_it_shows_which_model_it_is(small: LaionEncoder) -> None:
    assert repr(small) == f"LaionEncoder(HTSAT-{small.config.audio}, size=512, 48000 Hz)"


def test_each_distinct_sentence_is_encoded_once(small: LaionEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[int] = []
    encode = small._embed_tokens
    monkeypatch.setattr(
        small, "_embed_tokens", lambda tokens: (encoded.append(len(tokens["input_ids"])), encode(tokens))[1]
    )
    sentences = ["a dog", "", "雨が降る", "a dog", "a loud dog barks at night"]
    got = small.embed_text(sentences)
    assert got.shape == (5, 512)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got.norm(dim=1), torch.ones(5))
    assert torch.equal(got[0], got[3])
    assert len({tuple(row.tolist()) for row in got}) == 4
    assert sum(encoded) == 4
    assert torch.equal(small.embed_text(["a dog"])[0], got[0])
    assert sum(encoded) == 4

    monkeypatch.setattr(small, "_texts", {})
    monkeypatch.setattr(small, "_batch", 3)
    torch.testing.assert_close(small.embed_text(sentences), encode_alone(small, sentences), atol=1e-5, rtol=0)


def encode_alone(encoder: LaionEncoder, sentences: list[str]) -> Tensor:
    return torch.cat([encoder._embed_tokens(pad([encoder._tokenizer.tokens(text)])) for text in sentences])


# --- Sounds -----------------------------------------------------------------------------------------------------------


def test_long_sounds_are_the_mean_of_their_windows_weighted_by_length(small: LaionEncoder) -> None:
    audio = seconds(13.5, 48000)
    first, last = (small.embed_audio(part, 48000) for part in torch.split(audio, 480000, dim=1))
    mean = 10 * first + 3.5 * last
    torch.testing.assert_close(small.embed_audio(audio, 48000), mean / mean.norm(), atol=1e-6, rtol=0)


def test_sounds_do_not_depend_on_their_batch(small: LaionEncoder) -> None:
    audio = torch.cat([seconds(11.0, seed=seed) for seed in range(2)])
    together = small.embed_audio(audio, 16000)
    assert together.shape == (2, 512)
    assert together.dtype == torch.float32
    torch.testing.assert_close(together.norm(dim=1), torch.ones(2))
    assert torch.equal(small.embed_audio(audio[1:], 16000)[0], together[1])
    small._batch = 3
    torch.testing.assert_close(small.embed_audio(audio, 16000), together, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("samples", "rate"), [(1, 48000), (441, 44100), (80000, 8000)])
def test_audio_of_any_length_and_rate_is_embedded(small: LaionEncoder, samples: int, rate: int) -> None:
    torch.testing.assert_close(small.embed_audio(torch.ones(1, samples), rate).norm(dim=1), torch.ones(1))


def test_silence_is_embedded_and_no_samples_are_refused(small: LaionEncoder) -> None:
    assert torch.isfinite(small.embed_audio(torch.zeros(1, 16000), 32000)).all()
    with pytest.raises(InputError, match="without samples"):
        small.embed_audio(torch.zeros(1, 0), 32000)


@torch.inference_mode()
def test_feature_fusion_equals_the_packages(small_roberta: None, small_states: States, tokenizer_folder: Path) -> None:
    """For a sound of at most 10 s, the four channels are the same mel spectrogram on HTK's scale."""
    fused = load_laion(small_states[True], "clap.pt", tokenizer_folder)
    assert fused.config == LaionConfig("tiny", fusion=True)
    audio = seconds(4.0, 48000)
    mel = MelSpectrogram(48000, 1024, hop_length=480, n_mels=64, f_min=50, f_max=14000)(fill_window(audio[0]))
    channels = AmplitudeToDB(top_db=None)(mel).T[None].expand(4, -1, -1)
    expected = fused._clap.get_audio_embedding([{"mel_fusion": channels, "longer": torch.tensor([False])}])
    got = fused.embed_audio(audio, 48000)
    torch.testing.assert_close(got, expected, atol=1e-6, rtol=0)

    plain = load_laion(small_states[False], "clap.pt", tokenizer_folder)
    assert plain.config == LaionConfig("tiny", fusion=False)
    assert (plain.embed_audio(audio, 48000) - got).abs().max() > 1e-4
    assert plain.fingerprint != fused.fingerprint


# --- Files ------------------------------------------------------------------------------------------------------------


def saved(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def test_every_form_of_a_file_is_the_same_encoder(
    small_roberta: None, small_states: States, tokenizer_folder: Path, tmp_path: Path
) -> None:
    state = small_states[False]
    counters = {"text_branch.embeddings.position_ids": torch.arange(514)[None]}
    embedded = {f"query_encoder.model.{key}": tensor for key, tensor in {**state, **counters}.items()}
    other = {"ss_model.base.bn0.weight": torch.zeros(2)}
    unused = {key: tensor + 1 if key.startswith("text_transform.") else tensor for key, tensor in state.items()}
    contents = {
        "laion.pt": {"epoch": np.int64(3), "state_dict": {f"module.{key}": tensor for key, tensor in state.items()}},
        "plain.pt": unused,
        "audiosep.ckpt": {"state_dict": {**other, **embedded}, "epoch": 1},
    }
    heard, prints = [], set()
    for name, content in contents.items():
        path = saved(tmp_path / name, content)
        encoder = load_encoder(path, tokenizer=tokenizer_folder)
        path.unlink()
        assert (encoder.name, encoder.size) == ("laion", 512)
        prints.add(encoder.fingerprint)
        heard.append(encoder.embed_text(["a dog"]))
    save_file(state, tmp_path / "clap.safetensors")
    prints.add(load_encoder(str(tmp_path / "clap.safetensors"), str(tokenizer_folder)).fingerprint)
    (tmp_path / "clap.safetensors").unlink()
    assert len(prints) == 1
    assert torch.equal(heard[0], heard[1])
    assert torch.equal(heard[0], heard[2])

    changed = {**state, "text_projection.0.bias": state["text_projection.0.bias"] + 1e-3}
    assert load_laion(changed, "clap.pt", tokenizer_folder).fingerprint not in prints


def test_the_encoder_in_audioseps_checkpoint_separates(
    small_roberta: None, small_states: States, tokenizer_folder: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    network = {f"ss_model.{key}": tensor for key, tensor in ResUNet30().state_dict().items()}
    encoder = {f"query_encoder.model.{key}": tensor for key, tensor in small_states[False].items()}
    path = saved(tmp_path / "audiosep.ckpt", {"state_dict": {**network, **encoder}})
    separator = Separator.from_pretrained(base=path, tokenizer=tokenizer_folder, device="cpu")
    path.unlink()
    mixture = seconds(0.2, 32000).numpy()
    dog, rain = separator(mixture, 32000, ["a dog", "rain"]).values()
    assert dog.shape == mixture.shape
    assert np.isfinite(dog).all()
    assert not np.array_equal(dog, rain)


def test_the_weights_are_copied(small_roberta: None, small_states: States, tokenizer_folder: Path) -> None:
    state = {key: tensor.clone() for key, tensor in small_states[False].items()}
    encoder = load_laion(state, "clap.pt", tokenizer_folder)
    before = encoder.embed_text(["a dog"])
    for tensor in state.values():
        tensor.zero_()
    encoder._texts.clear()
    assert torch.equal(encoder.embed_text(["a dog"]), before)


def refusal(state: Mapping[str, Tensor], tokenizer: Path | str | None) -> str:
    with pytest.raises(InputError) as caught:
        load_laion(state, "clap.pt", tokenizer)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_keys_of_another_network_are_listed(small_roberta: None, small_states: States, tokenizer_folder: Path) -> None:
    state = dict(small_states[False])
    del state["audio_projection.0.weight"]
    state["text_branch.more.weight"] = torch.zeros(1)
    message = refusal(state, tokenizer_folder)
    assert message.startswith("clap.pt: ")
    assert "missing: audio_projection.0.weight;" in message
    assert "unexpected: text_branch.more.weight" in message


def test_values_that_are_not_finite_are_refused(
    small_roberta: None, small_states: States, tokenizer_folder: Path
) -> None:
    bias = torch.full_like(small_states[False]["audio_projection.2.bias"], float("nan"))
    message = refusal({**small_states[False], "audio_projection.2.bias": bias}, tokenizer_folder)
    assert "audio_projection.2.bias contains values that are not finite" in message


def test_unsupported_sizes_and_fusions_are_refused(
    small_roberta: None, small_states: States, tokenizer_folder: Path
) -> None:
    plain, fused = small_states[False], small_states[True]
    large = {**plain, PATCHES: torch.zeros(256, 1, 4, 4)}
    assert "has width 256; supported: HTSAT-tiny (96), HTSAT-base (128)" in refusal(large, tokenizer_folder)
    base = {**plain, PATCHES: torch.zeros(128, 1, 4, 4)}
    assert "missing: audio_branch.layers.2.blocks.6." in refusal(base, tokenizer_folder)
    kernel = {"audio_branch.spectrogram_extractor.stft.conv_real.weight": torch.zeros(769, 1, 1536)}
    assert "windows of 1536 samples" in refusal({**plain, **kernel}, tokenizer_folder)
    assert "audio tower is not HTSAT" in refusal({"audio_branch.fc1.weight": torch.zeros(1)}, tokenizer_folder)

    map_fusion = {**plain, PATCHES: torch.zeros(96, 4, 4, 4)}
    early_fusion = {**plain, "audio_branch.mel_conv1d.0.weight": torch.zeros(64, 64, 5)}
    twice = {**fused, "audio_branch.patch_embed.fusion_model.local_att2.0.weight": torch.zeros(1)}
    for state in (map_fusion, early_fusion, twice):
        assert "kind of feature fusion is not supported" in refusal(state, tokenizer_folder)
    half = {key: tensor for key, tensor in fused.items() if ".fusion_model." not in key}
    assert "missing: audio_branch.patch_embed.fusion_model.local_att.0.weight" in refusal(half, tokenizer_folder)
    other_half = {key: tensor for key, tensor in fused.items() if ".mel_conv2d." not in key}
    assert "unexpected: audio_branch.patch_embed.fusion_model." in refusal(other_half, tokenizer_folder)


def test_files_without_an_encoder_ask_for_one(tmp_path: Path, tokenizer_folder: Path) -> None:
    base = {"state_dict": {"ss_model.base.bn0.weight": torch.zeros(2)}}
    with pytest.raises(InputError, match=r"audiosep\.ckpt: contains no query encoder; give .*--encoder"):
        load_encoder(saved(tmp_path / "audiosep.ckpt", base), tokenizer=tokenizer_folder)
    listed = {"text_branch.pooler.dense.bias": [1.0]}
    with pytest.raises(InputError, match=r"clap\.pt: 'text_branch\.pooler\.dense\.bias' is not a tensor"):
        load_encoder(saved(tmp_path / "clap.pt", listed), tokenizer=tokenizer_folder)


def test_nothing_touches_the_network(small_states: States, tokenizer_folder: Path, tmp_path: Path) -> None:
    path = saved(tmp_path / "clap.pt", small_states[False])
    code = (
        "import socket, sys\n"
        "def refuse(*a, **k): raise AssertionError('the network was touched')\n"
        "socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse\n"
        "paths = list(sys.path)\n"
        "import torch\n"
        "from dplass_cli import load_encoder\n"
        "from dplass_cli.encoders.laion_model import ROBERTA\n"
        "assert 'transformers' not in sys.modules and 'torchlibrosa' not in sys.modules\n"  # nothing heavy so far
        "ROBERTA.update(vocab_size=300, num_hidden_layers=1, intermediate_size=32)\n"
        f"encoder = load_encoder({str(path)!r}, tokenizer={str(tokenizer_folder)!r})\n"
        "assert encoder.embed_text(['a dog']).shape == encoder.embed_audio(torch.ones(1, 9999), 32000).shape\n"
        "assert not {'wandb', 'laion_clap', 'clap_module', 'webdataset'} & set(sys.modules)\n"
        "assert sys.path == paths\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=300)
    path.unlink()
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
