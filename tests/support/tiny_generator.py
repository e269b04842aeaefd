"""Text-to-audio pipelines of AudioLDM's family with random weights, small enough to run within a test."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import RobertaTokenizer

RATE = 16000

_UNET: dict[str, Any] = {
    "block_out_channels": (8, 16),
    "layers_per_block": 1,
    "norm_num_groups": 8,
    "sample_size": 16,
    "in_channels": 4,
    "out_channels": 4,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
}


def save_generator(folder: Path) -> Path:
    """Build a pipeline of AudioLDM from configurations, without network, and save it as diffusers does."""
    import torch
    from diffusers import AudioLDMPipeline, DDIMScheduler, UNet2DConditionModel
    from transformers import ClapTextConfig, ClapTextModelWithProjection

    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        **_UNET,
        cross_attention_dim=(8, 16),
        class_embed_type="simple_projection",
        projection_class_embeddings_input_dim=16,
        class_embeddings_concat=True,
    )
    tokenizer = _tokenizer()
    text_encoder = ClapTextModelWithProjection(
        ClapTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            intermediate_size=16,
            num_attention_heads=2,
            num_hidden_layers=1,
            projection_dim=16,
            max_position_embeddings=40,
        )
    ).eval()
    AudioLDMPipeline(_vae(), text_encoder, tokenizer, unet, DDIMScheduler(), _vocoder()).save_pretrained(folder)
    return folder


def save_second_generator(folder: Path, with_head: bool = True) -> Path:
    """Build a pipeline of AudioLDM 2 like :func:`save_generator`.

    Without a head, its language model is a GPT2Model, as in the published pipelines.
    """
    import torch
    from diffusers import AudioLDM2Pipeline, AudioLDM2ProjectionModel, AudioLDM2UNet2DConditionModel, DDIMScheduler
    from transformers import (
        ClapAudioConfig,
        ClapConfig,
        ClapFeatureExtractor,
        ClapModel,
        ClapTextConfig,
        GPT2Config,
        GPT2LMHeadModel,
        GPT2Model,
        T5Config,
        T5EncoderModel,
        T5Tokenizer,
    )

    torch.manual_seed(0)
    tokenizer = _tokenizer()
    clap_text = ClapTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=8,
        intermediate_size=16,
        num_attention_heads=1,
        num_hidden_layers=1,
        projection_dim=16,
        max_position_embeddings=40,
    )
    clap_audio = ClapAudioConfig(
        spec_size=8,
        window_size=4,
        num_mel_bins=8,
        intermediate_size=16,
        depths=[1, 1],
        num_attention_heads=[1, 1],
        num_hidden_layers=1,
        hidden_size=192,
        projection_dim=16,
        patch_size=2,
        patch_stride=2,
        patch_embed_input_channels=4,
    )
    clap = ClapConfig(text_config=clap_text.to_dict(), audio_config=clap_audio.to_dict(), projection_dim=16)
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    second_tokenizer = T5Tokenizer(
        vocab=[*pieces, *((letter, -3.0) for letter in "abcdefghijklmnopqrstuvwxyz")], extra_ids=0, model_max_length=32
    )
    text = T5Config(vocab_size=64, d_model=32, d_ff=16, d_kv=8, num_heads=2, num_layers=1)
    language = GPT2Config(n_embd=16, n_head=2, n_layer=1, vocab_size=10, n_positions=64)
    queries = (None, 16, None, 32)  # self-attention, the language model's embeddings, self-attention, the second text
    unet = AudioLDM2UNet2DConditionModel(
        **_UNET,
        cross_attention_dim=(queries, queries),
    )
    AudioLDM2Pipeline(
        vae=_vae(),
        text_encoder=ClapModel(clap).eval(),
        text_encoder_2=T5EncoderModel(text).eval(),
        projection_model=AudioLDM2ProjectionModel(
            text_encoder_dim=16, text_encoder_1_dim=32, langauge_model_dim=16
        ).eval(),
        language_model=(GPT2LMHeadModel if with_head else GPT2Model)(language).eval(),
        tokenizer=tokenizer,
        tokenizer_2=second_tokenizer,
        feature_extractor=ClapFeatureExtractor(feature_size=8, hop_length=160, fft_window_size=256),
        unet=unet,
        scheduler=DDIMScheduler(),
        vocoder=_vocoder(),
    ).save_pretrained(folder)
    return folder


def _vae() -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=[8, 16],
        norm_num_groups=8,
        in_channels=1,
        out_channels=1,
        down_block_types=["DownEncoderBlock2D", "DownEncoderBlock2D"],
        up_block_types=["UpDecoderBlock2D", "UpDecoderBlock2D"],
        latent_channels=4,
    )


def _vocoder() -> Any:
    import torch
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

    vocoder = SpeechT5HifiGan(
        SpeechT5HifiGanConfig(
            model_in_dim=8,
            sampling_rate=RATE,
            upsample_initial_channel=16,
            upsample_rates=[2, 2],
            upsample_kernel_sizes=[4, 4],
            resblock_kernel_sizes=[3, 7],
            resblock_dilation_sizes=[[1, 3, 5], [1, 3, 5]],
            normalize_before=False,
        )
    ).eval()
    with torch.no_grad():
        vocoder.conv_post.weight *= 1e5  # random weights are all but silent
    return vocoder


def _tokenizer() -> RobertaTokenizer:
    """A tokenizer of single bytes."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import RobertaTokenizer

    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    vocabulary = {token: number for number, token in enumerate([*special, *sorted(ByteLevel.alphabet())])}
    return RobertaTokenizer(vocabulary, [], model_max_length=32)
