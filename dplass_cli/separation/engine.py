"""The Separator: any recording and any sentences in, one target a sentence out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from dplass_cli.audio.files import Audio, audio_info
from dplass_cli.audio.resampling import resample
from dplass_cli.devices import choose_device
from dplass_cli.encoders import QueryEncoder
from dplass_cli.errors import InputError
from dplass_cli.models.openvino import Backend
from dplass_cli.models.resunet30 import Analysis
from dplass_cli.separation.bank import Activation, AdapterBank
from dplass_cli.separation.files import RESIDUAL, Clip, Highband, Output, Separated, open_targets, target_paths
from dplass_cli.separation.loading import load_models
from dplass_cli.separation.policies import Choice, DomainTexts, Policy, make_policy
from dplass_cli.separation.windows import Parts, layout, parts_of, parts_of_file
from dplass_cli.storage import Progress, no_progress

Stereo = Literal["shared", "each"]


class Separator:
    """Separates recordings by sentences with a base, its encoder and a bank of adapters.

    Args:
        bank: the base model and its adapters.
        encoder: the encoder that the base was trained with.
        policy: which adapter serves a query; it must not need the true source.
        stereo: ``shared``: one mask for all channels, from the mean of their energies, so that every sound stays where
            it stands between them; ``each``: a mask for each channel by itself, at the cost of one forward a channel.
    """

    def __init__(self, bank: AdapterBank, encoder: QueryEncoder, policy: Policy, stereo: Stereo = "shared") -> None:
        if policy.uses_reference:
            raise InputError(f"--select {policy.name}: needs the true source; it works in evaluations only")
        if stereo not in get_args(Stereo):
            raise InputError(f"--stereo must be one of {', '.join(get_args(Stereo))}, not {stereo!r}")
        self.bank, self.encoder, self.policy, self.stereo = bank, encoder, policy, stereo
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
        stereo: Stereo = "shared",
        backend: Backend = "auto",
    ) -> Separator:
        """Load models by name or file.

        Args:
            base, encoder, adapters, tokenizer, trust: as :func:`~dplass_cli.separation.loading.load_models`.
            policy: any but ``oracle``; default ``text`` where adapters with domains are loaded.
            device: ``auto``, ``cpu``, ``cuda[:N]`` or ``mps``.
            stereo: as the class takes it.
            backend: ``torch``, ``openvino``, or ``auto``: the faster one on this device.

        Raises:
            InputError: something is missing, damaged, or does not belong together.
        """
        listed = [adapters] if isinstance(adapters, (str, Path)) else adapters
        models = load_models(base, encoder, listed, tokenizer, choose_device(device), trust, backend=backend)
        name = policy or ("text" if models.bank.domains else "base")
        return cls(models.bank, models.encoder, make_policy(name), stereo)

    def __call__(
        self, audio: npt.NDArray[np.float32], sample_rate: int, queries: Sequence[str]
    ) -> dict[str, npt.NDArray[np.float32]]:
        """Separate what each query describes.

        Args:
            audio: float32 (C, T), any rate and number of channels.
            sample_rate: Hz.
            queries: sentences.

        Returns:
            {query: float32 (C, T)} at the rate of the input.

        Raises:
            InputError: an empty query, or audio that is not (C, T) with at least one sample.
        """
        self.check(queries)
        if audio.ndim != 2 or audio.shape[-1] == 0:
            raise InputError(f"audio must be (channels, samples) with at least one sample, not of shape {audio.shape}")
        audio = np.ascontiguousarray(audio, dtype=np.float32)
        laid = layout(sample_rate, self.bank.network.config)
        choices = self._decide(lambda: parts_of(audio, laid), sample_rate, queries)
        blocks = [targets for _, targets, _ in self._stream(parts_of(audio, laid), sample_rate, choices)]
        return dict(zip(choices, np.concatenate(blocks, axis=-1), strict=True))

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

    def _decide(self, parts: Callable[[], Parts], sample_rate: int, queries: Sequence[str]) -> dict[str, Activation]:
        """Choose what serves each distinct query. A policy that listens has every adapter run over the whole first.

        Args:
            parts: begins the windows of the recording anew.
        """
        if not self.policy.uses_outputs:
            return self.choose(queries)
        queries = list(dict.fromkeys(queries))
        pairs = [(query, key) for query in queries for key in self.bank.keys]
        rate = self.bank.network.config.sample_rate
        heard = torch.zeros(len(pairs), self.encoder.size)
        conditions = self.encoder.embed_text([query for query, _ in pairs])
        for window, part in parts():
            outputs = self._run(resampled(part, sample_rate, rate), conditions, [key for _, key in pairs])
            embedded = self.encoder.embed_audio(outputs.mean(dim=1), rate)
            heard += (window.last - window.first) * embedded
        likeness = (F.normalize(heard, dim=-1) * conditions).sum(dim=-1).tolist()
        by_query: dict[str, dict[str, float]] = {query: {} for query in queries}
        for (query, key), value in zip(pairs, likeness, strict=True):
            by_query[query][key] = value
        embeddings = self.encoder.embed_text(queries)
        return {q: self._listen(by_query[q], embedding) for q, embedding in zip(queries, embeddings, strict=True)}

    def separate_file(
        self,
        path: Path | str,
        queries: Sequence[str],
        output_dir: Path | str,
        residual: bool = False,
        subtype: str | None = None,
        clip: Clip = "limit",
        highband: Highband = "residual",
        name: str | None = None,
        inputs: Collection[Path] = (),
        progress: Progress = no_progress,
    ) -> list[Separated]:
        """Separate a file from disk to disk and write one file a query: ``{name}_{query}``, in the input's format.

        Formats that are read but not written (mp3, aiff) become wav. Rate, channels and length are the input's, the
        sample format too unless ``subtype`` is given. Memory does not grow with the length.

        Args:
            residual, subtype, clip, highband: as :class:`~dplass_cli.separation.files.Output`.
            name: of the outputs; default the input's.
            inputs: other recordings, by their resolved paths, that no output may overwrite either.
            progress: told the samples done; what it raises ends the separation, and nothing is left behind.

        Raises:
            InputError: the file cannot be read, or an output would overwrite the input.
            RunError: the disk is full, or a target is over full scale and ``clip`` is ``error``.
        """
        path = Path(path)
        info = audio_info(path)
        self.check(queries)
        if residual and RESIDUAL in queries:
            raise InputError(f"--query {RESIDUAL}: is the name of what is left over; say it otherwise")
        laid = layout(info.sample_rate, self.bank.network.config)
        output = Output(residual, subtype, clip, highband)
        names = [*dict.fromkeys(queries), *([RESIDUAL] if residual else [])]
        paths = target_paths(info, Path(output_dir), name or path.stem, names, {path.resolve(), *inputs})

        def parts() -> Parts:
            return parts_of_file(path, info.frames, laid)

        choices = self._decide(parts, info.sample_rate, queries)
        done = 0
        with open_targets(paths, info, output) as files:
            for recording, targets, high in self._stream(parts(), info.sample_rate, choices):
                files.write(recording, targets, high)
                done += recording.shape[-1]
                progress(done, info.frames, path.name)
        gain = 20 * float(np.log10(files.gain))
        return [Separated(query, file, choices.get(query), files.clipped[query], gain) for query, file in paths.items()]

    def _stream(
        self, parts: Parts, sample_rate: int, choices: Mapping[str, Activation]
    ) -> Iterator[tuple[Audio, Audio, Audio | None]]:
        """Separate window by window: (recording (C, n), targets (Q, C, n), what is above the band (C, n) or None)."""
        rate = self.bank.network.config.sample_rate
        conditions = self.encoder.embed_text(list(choices))
        for window, part in parts:
            mixture = resampled(part, sample_rate, rate)
            outputs = self._run(mixture, conditions, list(choices.values()))
            targets = resampled(outputs.numpy(), rate, sample_rate, part.shape[-1]).numpy()[..., window.kept]
            high = None
            if sample_rate > rate:
                low = resampled(mixture.numpy(), rate, sample_rate, part.shape[-1]).numpy()
                high = (part - low)[:, window.kept]
            yield part[:, window.kept], targets, high

    @torch.inference_mode()
    def _run(self, mixture: Tensor, conditions: Tensor, activations: Sequence[Activation]) -> Tensor:
        """Separate float32 (C, n) at the network's rate by queries (Q, D): (Q, C, n) on the CPU.

        The mixture is transformed once for all queries.
        """
        network, length = self.bank.network, mixture.shape[-1]
        device = next(network.parameters()).device
        padded = F.pad(mixture, (0, max(0, network.config.n_fft - length)))  # the shortest that can be transformed
        analysis = network.analyse(padded[:, None].to(device))
        if self.stereo == "shared":
            energy = analysis.magnitude.square().mean(dim=0, keepdim=True)
            analysis = Analysis(analysis.spectrum, energy.sqrt(), analysis.length)
        outputs: dict[int, Tensor] = {}
        order = sorted(range(len(activations)), key=lambda at: str(activations[at]))  # each adapter is merged once
        for at in order:
            if self.bank.active != activations[at]:
                self.bank.activate(activations[at])
            condition = conditions[at].to(device).expand(len(analysis.magnitude), -1)
            outputs[at] = network(analysis, condition)[:, 0, :length].cpu()
        return torch.stack([outputs[at] for at in range(len(activations))])


def resampled(audio: Audio, source: int, target: int, length: int | None = None) -> Tensor:
    """Resample float32 (..., T); cut or pad the sample that going there and back leaves too many or too few."""
    heard = torch.from_numpy(resample(np.ascontiguousarray(audio), source, target))
    if length is None or heard.shape[-1] == length:
        return heard
    return F.pad(heard, (0, max(0, length - heard.shape[-1])))[..., :length]
