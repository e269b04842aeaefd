"""Text-to-audio pipelines of AudioLDM's family (AudioLDM, AudioLDM 2, MusicLDM), run by diffusers."""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dplass_cli.audio.source import Audio
from dplass_cli.devices import choose_device
from dplass_cli.errors import InputError, RunError, first_line
from dplass_cli.extras import require_extra
from dplass_cli.storage import file_sha256, read_json, require_folder, text_sha256
from dplass_cli.weights.hub import PREFIX, fetch_from_hub, is_hub_address

INDEX = "model_index.json"
"""The file that names the parts of a pipeline."""

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")
_VOCABULARIES = ("*.txt", "*.model")  # of tokenizers
_LANGUAGE_MODEL_TOKENS = 8  # of AudioLDM 2, as published


def pipeline_folder(model: str) -> Path:
    """The folder of a pipeline: the folder itself, or the Hub's cache for ``owner/name`` or ``hf:owner/name``.

    Raises:
        InputError: there is no such folder or repository, it contains no pipeline or no safetensors, or the pipeline
            makes no audio.
        RunError: the Hub cannot be reached and the repository is not in its cache.
    """
    if is_hub_address(model) or (_REPOSITORY.fullmatch(model) and not Path(model).exists()):
        folder, _ = fetch_from_hub(model if is_hub_address(model) else PREFIX + model, also=_VOCABULARIES)
    else:
        folder = require_folder(Path(model))
    if not (folder / INDEX).exists():
        raise InputError(f"{model}: no {INDEX}; expected a pipeline as diffusers saves it")
    index = read_json(folder / INDEX)
    if not isinstance(index, dict) or not {"vocoder", "unet", "vae"} <= index.keys():
        kind = index.get("_class_name", "the pipeline") if isinstance(index, dict) else "the pipeline"
        raise InputError(f"{model}: {kind} makes no audio by a vocoder; expected AudioLDM, AudioLDM 2 or MusicLDM")
    for part in ("unet", "vae", "vocoder"):
        if not any((folder / part).glob("*.safetensors")):
            raise InputError(f"{model}: {part} has no weights (*.safetensors); save it with safetensors")
    return folder


def pipeline_sha256(folder: Path) -> str:
    """Hash the configurations and weights of a pipeline."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".json", ".safetensors", ".txt", ".model"))
    return text_sha256("\n".join(f"{path.relative_to(folder).as_posix()} {file_sha256(path)}" for path in files))


class TextToAudio:
    """A pipeline that makes sounds from captions.

    Args:
        folder: of the pipeline (:func:`pipeline_folder`).
        device: auto, cpu, cuda, cuda:N or mps.
        steps: of the denoising; None: the pipeline's default.
        guidance: scale of the guidance by the caption; None: the pipeline's default.
        seconds: length of a sound; None: the pipeline's default.

    Attributes:
        sample_rate: Hz, of the sounds.

    Raises:
        InputError: the extra ``generate`` is not installed, or the pipeline cannot be loaded.
    """

    def __init__(
        self, folder: Path, device: str, steps: int | None, guidance: float | None, seconds: float | None
    ) -> None:
        require_extra("generate", "prepare generate")
        given = {"num_inference_steps": steps, "guidance_scale": guidance, "audio_length_in_s": seconds}
        self._sampling = {name: value for name, value in given.items() if value is not None}
        self._folder = folder
        with _quiet():
            from diffusers import DiffusionPipeline

            load: Any = DiffusionPipeline.from_pretrained
            try:
                pipeline = load(folder, use_safetensors=True, local_files_only=True)
            except (OSError, ValueError, TypeError, KeyError, AttributeError, ImportError, RuntimeError) as error:
                raise InputError(
                    f"{folder}: diffusers cannot load it ({first_line(error)}); check the files"
                ) from error
            if "audio_length_in_s" not in inspect.signature(pipeline.__call__).parameters:
                raise InputError(f"{folder}: {type(pipeline).__name__} makes no audio; expected AudioLDM's family")
            self._sampling |= _language_model_options(pipeline)
            self._pipeline: Any = pipeline.to(choose_device(device))
        self._pipeline.set_progress_bar_config(disable=True)
        self.sample_rate = int(self._pipeline.vocoder.config.sampling_rate)

    def __call__(self, captions: Sequence[str], seeds: Sequence[int]) -> list[Audio]:
        """Make the sound of each caption, float32 (1, T), from its own seed.

        The noise is drawn on the CPU, so that it depends neither on the device nor on the other captions.

        Raises:
            InputError: the pipeline refuses an option.
            RunError: samples are not finite.
        """
        generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        with _quiet():
            try:
                made = self._pipeline(list(captions), generator=generators, output_type="np", **self._sampling).audios
            except ValueError as error:
                raise InputError(f"{self._folder}: {first_line(error)}") from error
        if not np.isfinite(made).all():
            raise RunError(f"{self._folder}: made samples that are not finite; use --device cpu or another model")
        return [np.asarray(audio, np.float32)[None] for audio in made]


def _language_model_options(pipeline: Any) -> dict[str, Any]:
    """Prepare the language model of AudioLDM 2, which writes the embeddings of a caption: options of the call."""
    model = getattr(pipeline, "language_model", None)
    if model is None:
        return {}
    if not hasattr(model, "_update_model_kwargs_for_generation"):
        # Published pipelines name GPT2Model, which no longer generates; with a head it does, and only the states count.
        from transformers import GPT2LMHeadModel

        make: Any = GPT2LMHeadModel
        with torch.device("meta"):
            generating = make(model.config)
        generating.transformer, generating.lm_head = model, torch.nn.Identity()
        pipeline.language_model = generating.eval()
    tokens = getattr(model.config, "max_new_tokens", None) or _LANGUAGE_MODEL_TOKENS
    return {"max_new_tokens": tokens}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the progress bars and advice of diffusers and transformers off the terminal."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    loggers = (diffusers_logging, transformers_logging)
    before = [(logging.get_verbosity(), logging.is_progress_bar_enabled()) for logging in loggers]
    try:
        for logging in loggers:
            logging.set_verbosity(logging.CRITICAL)
            logging.disable_progress_bar()
        yield
    finally:
        for logging, (verbosity, bars) in zip(loggers, before, strict=True):
            logging.set_verbosity(verbosity)
            if bars:
                logging.enable_progress_bar()
