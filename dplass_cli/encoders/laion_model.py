"""Building LAION's CLAP with the model classes of the package ``laion-clap``, without downloads.

The package's ``__init__`` downloads tokenizers and imports training code, and its model's constructor downloads
RoBERTa. Here only the module of the model is imported, under a private package name, and RoBERTa is built from its
sizes.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from dplass_cli.encoders.laion_audio import F_MAX, F_MIN, HOP, MELS, N_FFT, SAMPLE_RATE, WINDOW
from dplass_cli.errors import InputError
from dplass_cli.extras import require_extra

_PRIVATE = f"{__package__}._laion_clap"
_INSTALL = "pip install 'laion-clap>=1.1.7,<2'"
if sys.version_info >= (3, 13):
    _INSTALL += " --no-deps"  # its pin of numpy has no build for this Python

CONTEXT = 77
PAD = 1
AUDIO_WIDTHS = {96: "tiny", 128: "base"}
ROBERTA: dict[str, Any] = {  # roberta-base
    "vocab_size": 50265,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "max_position_embeddings": 514,
    "type_vocab_size": 1,
    "layer_norm_eps": 1e-5,
    "pad_token_id": PAD,
    "bos_token_id": 0,
    "eos_token_id": 2,
}


class _Roberta:
    """Replaces the class whose ``from_pretrained`` the package's constructor calls to download weights."""

    @staticmethod
    def from_pretrained(name: str) -> Any:
        import transformers

        build: Any = transformers.RobertaModel
        return build(transformers.RobertaConfig(**ROBERTA))


class _WithoutValues(TorchFunctionMode):
    """Lets the package's constructor run on the device ``meta``, although it reads values of a ``linspace``."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.linspace:
            kwargs["device"] = "cpu"
        elif func is torch.meshgrid:
            kwargs["indexing"] = "ij"  # the default, but PyTorch warns unless it is explicit
        return func(*args, **kwargs)


def build_clap(audio: str, fusion: bool) -> Any:
    """Build the package's CLAP with HTSAT (``tiny`` or ``base``) and RoBERTa on the device ``meta``, without values.

    Its STFT and mel kernels are left out: :mod:`dplass_cli.encoders.laion_audio` replaces them.
    """
    package = _import_package()
    tower = {
        "model_type": "HTSAT",
        "model_name": audio,
        "sample_rate": SAMPLE_RATE,
        "clip_samples": WINDOW,
        "window_size": N_FFT,
        "hop_size": HOP,
        "mel_bins": MELS,
        "fmin": F_MIN,
        "fmax": F_MAX,
    }
    # For RoBERTa the package reads only the type and the context length; the other sizes are those of CLIP.
    text = {"model_type": "roberta", "context_length": CONTEXT, "vocab_size": 0, "width": 0, "heads": 0, "layers": 0}
    width = next(width for width, name in AUDIO_WIDTHS.items() if name == audio)
    with torch.device("meta"), _WithoutValues():
        return package.CLAP(8 * width, tower, text, enable_fusion=fusion, fusion_type="aff_2d" if fusion else "None")


def fill_buffers(clap: Any) -> None:
    """Compute the buffers that checkpoints do not contain, after the weights are loaded."""
    embeddings = clap.text_branch.embeddings
    positions = embeddings.position_embeddings.num_embeddings
    embeddings.position_ids = torch.arange(positions)[None]
    embeddings.token_type_ids = torch.zeros(1, positions, dtype=torch.long)
    clap.attn_mask = None  # belongs to the text tower that RoBERTa replaces
    empty = [name for name, tensor in (*clap.named_parameters(), *clap.named_buffers()) if tensor.is_meta]
    assert not empty, f"without values: {empty}"


def _import_package() -> ModuleType:
    """Import the module of the package's model, and nothing else of the package."""
    if f"{_PRIVATE}.model" in sys.modules:
        return sys.modules[f"{_PRIVATE}.model"]
    require_extra("clap", "LAION's CLAP")
    found = importlib.util.find_spec("laion_clap")
    if found is None or found.origin is None:
        raise InputError(f"LAION's CLAP needs the package laion-clap, which is not installed; {_INSTALL}")
    private = ModuleType(_PRIVATE)
    private.__path__ = [str(Path(found.origin).parent / "clap_module")]
    sys.modules[_PRIVATE] = private
    try:
        model = importlib.import_module(f"{_PRIVATE}.model")
        audio = sys.modules[f"{_PRIVATE}.htsat"]
    except Exception as error:  # another version of the package, or of its dependencies, can raise anything
        for name in [name for name in sys.modules if name == _PRIVATE or name.startswith(f"{_PRIVATE}.")]:
            del sys.modules[name]
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise InputError(f"{private.__path__[0]}: cannot be imported ({reason}); {_INSTALL}") from error
    vars(model)["RobertaModel"] = _Roberta
    vars(audio)["Spectrogram"] = vars(audio)["LogmelFilterBank"] = nn.Identity
    return model
