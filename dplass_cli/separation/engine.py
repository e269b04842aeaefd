"""The Separator: any recording and any sentences in, one target a sentence out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dplass_cli.audio.files import AudioInfo, audio_info, default_subtype, read_audio, write_audio
from dplass_cli.audio.resampling import resample
from dplass_cli.devices import choose_device
from dplass_cli.encoders import QueryEncoder
from dplass_cli.errors import InputError
from dplass_cli.separation.bank import Activation, AdapterBank
from dplass_cli.separation.loading import load_models
from dplass_cli.separation.policies import Choice, DomainTexts, Policy, make_policy
from dplass_cli.separation.windows import run_windowed

_CORE_SECONDS, _CONTEXT_SECONDS = 8.0, 1.0
_WRITTEN = {"WAV": ".wav", "FLAC": ".flac", "OGG": ".ogg"}


@dataclass(frozen=True)
class Separated:
    """One written target.

    Attributes:
        query: the sentence, or ``residual``. path: the written file.
        adapter: the adapter that served it, or the weights of several; None for the base.
        clipped: samples that the sample format of the file could not hold and that were limited to full scale.
    """

    query: str
    path: Path
    adapter: Activation
    clipped: int


class Separator:
    """Separates recordings by sentences with a base, its encoder and a bank of adapters.

    Args:
        bank: the base model and its adapters.
        encoder: the encoder that the base was trained with.
        policy: which adapter serves a query; it must not need the true source.
    """

    def __init__(self, bank: AdapterBank, encoder: QueryEncoder, policy: Policy) -> None:
        if policy.uses_reference:
            raise InputError(f"--select {policy.name}: needs the true source; it works in evaluations only")
        self.bank, self.encoder, self.policy = bank, encoder, policy
        self._texts = DomainTexts(bank, encoder)

    @classmethod
    def from_pretrained(
        cls,
        base: str | Path = "tiny",
        encoder: str | Path | None = None,
        adapters: str | Path | Sequence[str | Path] | None = None,
        policy: str | None = None,
        device: str = "auto",
        tokenizer: Path | str | None = None,
        trust: bool = False,
    ) -> Separator:
        """Load models by name or file.

        Args:
            base, encoder, adapters, tokenizer, trust: as :func:`~dplass_cli.separation.loading.load_models`.
            policy: any but ``oracle``; default ``text`` where adapters with domains are loaded.
            device: ``auto``, ``cpu``, ``cuda[:N]`` or ``mps``.

        Raises:
            InputError: something is missing, damaged, or does not belong together.
        """
        listed = [adapters] if isinstance(adapters, (str, Path)) else adapters
        models = load_models(base, encoder, listed, tokenizer, choose_device(device), trust)
        name = policy or ("text" if models.bank.domains else "base")
        return cls(models.bank, models.encoder, make_policy(name))

    def __call__(
        self, audio: npt.NDArray[np.float32], sample_rate: int, queries: Sequence[str]
    ) -> dict[str, npt.NDArray[np.float32]]:
        """Separate what each query describes.

        Args:
            audio: float32 (C, T), any rate and number of channels; channels are separated alike, each for itself.
            sample_rate: Hz.
            queries: sentences.

        Returns:
            {query: float32 (C, T)} at the rate of the input.

        Raises:
            InputError: an empty query, or audio that is not (C, T) with at least one sample.
        """
        return self._serve(audio, sample_rate, queries)[0]

    def check(self, queries: Sequence[str]) -> None:
        """Refuse queries and policies that no recording could be separated by.

        Raises:
            InputError: a query without words, no query, or a policy that lacks what it needs.
        """
        for query in queries:
            if not query.strip():
                raise InputError("--query is empty; describe the sound, such as 'a dog barking'")
        if not queries:
            raise InputError("no query is given; describe the sound with --query")
        if self.policy.uses_outputs:
            self._listen(dict.fromkeys(self.bank.keys, 0.0), self.encoder.embed_text(queries[:1])[0])
        else:
            self.choose(queries)

    def choose(self, queries: Sequence[str]) -> dict[str, Activation]:
        """Choose what serves each distinct query, by a policy that needs no outputs: {query: key, weights or None}.

        Raises:
            InputError: a policy that lacks what it needs.
        """
        embedded = self.encoder.embed_text(queries)
        return {
            query: self.policy.choose(Choice(embedding, self.bank, self._texts))
            for query, embedding in zip(queries, embedded, strict=True)
        }

    def _listen(self, similarities: dict[str, float], query: Tensor) -> Activation:
        return self.policy.choose(Choice(query, self.bank, self._texts, similarities))

    def _serve(
        self, audio: npt.NDArray[np.float32], sample_rate: int, queries: Sequence[str]
    ) -> tuple[dict[str, npt.NDArray[np.float32]], dict[str, Activation]]:
        """Separate (C, T) by queries: ({query: target}, {query: what served it})."""
        self.check(queries)
        if audio.ndim != 2 or audio.shape[-1] == 0:
            raise InputError(f"audio must be (channels, samples) with at least one sample, not of shape {audio.shape}")
        rate = self.bank.network.config.sample_rate
        mixture = torch.from_numpy(resample(np.ascontiguousarray(audio, dtype=np.float32), sample_rate, rate))
        choices: dict[str, Activation] = {}
        if self.policy.uses_outputs:
            separated = []
            for query in dict.fromkeys(queries):
                outputs = self._separate(mixture, [query] * len(self.bank.keys), self.bank.keys)
                embedding = self.encoder.embed_text([query])[0]
                similarities = (self.encoder.embed_audio(outputs.mean(dim=1), rate) @ embedding).tolist()
                chosen = self._listen(dict(zip(self.bank.keys, similarities, strict=True)), embedding)
                choices[query] = chosen
                separated.append(outputs[self.bank.keys.index(str(chosen))])
        else:
            choices = self.choose(queries)
            separated = list(self._separate(mixture, list(choices), list(choices.values())))
        targets = {
            query: _fit(resample(target.numpy(), rate, sample_rate), audio.shape[-1])
            for query, target in zip(choices, separated, strict=True)
        }
        return targets, choices

    def separate_file(
        self,
        path: Path | str,
        queries: Sequence[str],
        output_dir: Path | str,
        residual: bool = False,
        subtype: str | None = None,
    ) -> list[Separated]:
        """Separate a file and write one file a query: ``{stem}_{query}`` in the format of the input.

        Formats that are read but not written (mp3, aiff) become wav. Rate, channels and length are the input's, the
        sample format too unless ``subtype`` is given.

        Raises:
            InputError: the file cannot be read, or an output would overwrite the input.
        """
        path, output_dir = Path(path), Path(output_dir)
        info = audio_info(path)
        audio, rate = read_audio(path)
        targets, choices = self._serve(audio, rate, queries)
        if residual:
            targets["residual"] = audio - np.sum(list(targets.values()), axis=0, dtype=np.float32)
        names = _file_names(list(targets))
        suffix, form = _form(info, subtype)
        written = []
        for query, target in targets.items():
            out = output_dir / f"{path.stem}_{names[query]}{suffix}"
            if out.resolve() == path.resolve():
                raise InputError(f"{out}: would overwrite the input; choose another --output")
            write_audio(out, target, rate, form)
            clipped = 0 if form in ("FLOAT", "DOUBLE") else int(np.count_nonzero(np.abs(target) > 1.0))
            written.append(Separated(query, out, choices.get(query), clipped))
        return written

    @torch.inference_mode()
    def _separate(self, mixture: Tensor, queries: Sequence[str], keys: Sequence[Activation]) -> Tensor:
        """Separate float32 (C, T) at the network's rate: (Q, C, T). Each window is transformed once for all queries."""
        network = self.bank.network
        device = next(network.parameters()).device
        conditions = self.encoder.embed_text(queries).to(device)
        order = sorted(range(len(queries)), key=lambda index: str(keys[index]))  # so that each adapter is merged once

        def run(part: Tensor) -> Tensor:
            analysis = network.analyse(part[:, None].to(device))
            outputs: dict[int, Tensor] = {}
            for index in order:
                if self.bank.active != keys[index]:
                    self.bank.activate(keys[index])
                condition = conditions[index].expand(len(part), -1)
                outputs[index] = network(analysis, condition)[:, 0].cpu()
            return torch.stack([outputs[index] for index in range(len(queries))])

        config = network.config
        cell = config.grid[0] * config.hop
        core, context = (round(s * config.sample_rate / cell) * cell for s in (_CORE_SECONDS, _CONTEXT_SECONDS))
        return run_windowed(run, mixture, core, context, shortest=config.n_fft)


def _fit(audio: npt.NDArray[np.float32], length: int) -> npt.NDArray[np.float32]:
    """Cut or pad what resampling there and back left a sample too long or short."""
    return np.pad(audio, ((0, 0), (0, max(0, length - audio.shape[-1]))))[:, :length]


def _form(info: AudioInfo, subtype: str | None) -> tuple[str, str]:
    """Suffix and sample format to write for an input."""
    suffix = _WRITTEN.get(info.format, ".wav")
    return suffix, subtype or default_subtype(suffix[1:].upper(), info.subtype)


def _file_names(queries: Sequence[str]) -> dict[str, str]:
    """A file name part for each query: letters, digits and underscores, no two alike."""
    names: dict[str, str] = {}
    for query in queries:
        name = stem = re.sub(r"\W+", "_", query).strip("_")[:60] or "query"
        count = 2
        while name.lower() in {other.lower() for other in names.values()}:
            name = f"{stem}_{count}"
            count += 1
        names[query] = name
    return names
