"""The Separator: any recording and any sentences in, one target a sentence out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from dplass_cli.audio.reading import Audio, audio_info, read_mono
from dplass_cli.audio.resampling import resample
from dplass_cli.devices import Precision, choose_device, in_bfloat16
from dplass_cli.encoders import QueryEncoder
from dplass_cli.errors import InputError
from dplass_cli.models.cuda_graphs import replay_windows
from dplass_cli.models.openvino import Backend
from dplass_cli.models.resunet30 import Analysis
from dplass_cli.separation.bank import Activation, AdapterBank
from dplass_cli.separation.loading import load_models
from dplass_cli.separation.masks import share
from dplass_cli.separation.output import RESIDUAL, Clip, Highband, Output, Separated, open_targets, target_paths
from dplass_cli.separation.policies import Choice, DomainTexts, Policy, default_policy, make_policy
from dplass_cli.separation.presence import PresenceMeter, calibration_of
from dplass_cli.separation.queries import UNSAID, Plan, Query, Target, named, plan
from dplass_cli.separation.refinement import Rest
from dplass_cli.separation.windows import Parts, Window, layout, parts_of, parts_of_file
from dplass_cli.storage import Progress, no_progress

Stereo = Literal["shared", "each"]
_REST = UNSAID + "rest of "  # begins the name of a source: what a target leaves over


@dataclass(frozen=True)
class Block:
    """What is kept of a window: the recording (C, n), its targets (Q, C, n), what is above the model's band (C, n)."""

    recording: Audio
    targets: Audio
    high: Audio | None


class Separator:
    """Separates recordings by sentences with a base, its encoder and a bank of adapters.

    Args:
        bank: the base model and its adapters.
        encoder: the encoder that the base was trained with.
        policy: which adapter serves a query; it must not need the true source.
        stereo: ``shared``: one mask for all channels, from the mean of their energies, so that every sound stays where
            it stands between them; ``each``: a mask for each channel by itself, at the cost of one forward a channel.
        precision: of the convolutions; ``auto``: ``bf16-mixed`` on CUDA devices whose hardware does it, else
            ``32-true``.
    """

    def __init__(
        self,
        bank: AdapterBank,
        encoder: QueryEncoder,
        policy: Policy,
        stereo: Stereo = "shared",
        precision: Precision = "auto",
    ) -> None:
        if policy.uses_reference:
            raise InputError(f"--select {policy.name}: needs the true source; it works in evaluations only")
        if stereo not in get_args(Stereo):
            raise InputError(f"--stereo must be one of {', '.join(get_args(Stereo))}, not {stereo!r}")
        self.bank, self.encoder, self.policy, self.stereo = bank, encoder, policy, stereo
        self._texts = DomainTexts(bank, encoder)
        self._device = next(bank.network.parameters()).device
        self._bfloat16 = in_bfloat16(precision, self._device)

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
        precision: Precision = "auto",
    ) -> Separator:
        """Load models by name or file.

        Args:
            base, encoder, adapters, tokenizer, trust: as :func:`~dplass_cli.separation.loading.load_models`.
            policy: any but ``oracle``; default :func:`~dplass_cli.separation.policies.default_policy`.
            device: ``auto``, ``cpu``, ``cuda[:N]`` or ``mps``.
            stereo, precision: as the class takes them.
            backend: ``torch``, ``openvino``, or ``auto``: the faster one on this device, on CUDA with graphs.

        Raises:
            InputError: something is missing, damaged, or does not belong together.
        """
        listed = [adapters] if isinstance(adapters, (str, Path)) else adapters
        models = load_models(base, encoder, listed, tokenizer, choose_device(device), trust, backend=backend)
        if backend == "auto":
            replay_windows(models.network)
        name = policy or default_policy(base, models.bank)
        return cls(models.bank, models.encoder, make_policy(name), stereo, precision)

    def __call__(
        self,
        audio: npt.NDArray[np.float32],
        sample_rate: int,
        queries: Sequence[str | Query],
        consistent: bool = False,
    ) -> dict[str, npt.NDArray[np.float32]]:
        """Separate what each query describes.

        Args:
            audio: float32 (C, T), any rate and number of channels.
            sample_rate: Hz.
            queries: sentences, or other queries.
            consistent: as :meth:`separate_file`.

        Returns:
            {query, or its name: float32 (C, T)} at the rate of the input.

        Raises:
            InputError: a query that can't be asked for, audio that is not (C, T) with at least one sample, or holds
                samples that are no numbers, or no rate.
        """
        asked = self.check(queries)
        if audio.ndim != 2 or audio.size == 0:
            raise InputError(f"audio must be (channels, samples) with at least one sample, not of shape {audio.shape}")
        if sample_rate < 1:
            raise InputError(f"the sample rate must be a number of Hz, not {sample_rate}")
        audio = np.ascontiguousarray(audio, dtype=np.float32)
        if not np.isfinite(audio).all():
            raise InputError("audio holds samples that are not numbers (NaN or infinite)")
        laid = layout(sample_rate, self.bank.network.config)

        def excerpt(start: float, end: float) -> Tensor:
            part = audio[:, round(start * sample_rate) : round(end * sample_rate)].mean(axis=0)
            if not len(part):
                return torch.zeros(0)
            return resampled(part, sample_rate, self.encoder.sample_rate)

        planned = plan(asked, self.encoder, excerpt, consistent)
        choices = self._decide(lambda: parts_of(audio, laid), sample_rate, planned.conditions)
        planned, choices = self._contrasted(lambda: parts_of(audio, laid), sample_rate, planned, choices)
        stream = self._stream(parts_of(audio, laid), sample_rate, planned, choices)
        return dict(zip(asked, np.concatenate([block.targets for block in stream], axis=-1), strict=True))

    def check(self, queries: Sequence[str | Query]) -> dict[str, Query]:
        """Refuse queries and policies that no recording could be separated by, and return the queries by their names.

        Raises:
            InputError: a query that can't be asked for, no query, or a policy that lacks what it needs.
        """
        asked = named(queries)
        texts = [text for query in asked.values() for text in (query.text, *query.without) if text]
        if self.policy.uses_outputs:
            self._listen(dict.fromkeys(self.bank.keys, 0.0), self.encoder.embed_text(["any"])[0])
        else:
            self.choose(texts or ["any"])
        return asked

    def choose(self, queries: Sequence[str]) -> dict[str, Activation]:
        """Choose what serves each distinct sentence, by a policy that needs no outputs: {query: key, weights or None}.

        Raises:
            InputError: a policy that lacks what it needs.
        """
        return self._choose(dict(zip(queries, self.encoder.embed_text(queries), strict=True)))

    def _choose(self, conditions: Mapping[str, Tensor]) -> dict[str, Activation]:
        return {
            name: self.policy.choose(Choice(embedding, self.bank, self._texts))
            for name, embedding in conditions.items()
        }

    def _listen(self, similarities: dict[str, float], query: Tensor) -> Activation:
        return self.policy.choose(Choice(query, self.bank, self._texts, similarities))

    def _decide(
        self, parts: Callable[[], Parts], sample_rate: int, conditions: Mapping[str, Tensor]
    ) -> dict[str, Activation]:
        """Choose what serves each source. A policy that listens has every adapter run over the whole first.

        Args:
            parts: begins the windows of the recording anew.
        """
        if not self.policy.uses_outputs:
            return self._choose(conditions)
        pairs = [(name, key) for name in conditions for key in self.bank.keys]
        rate = self.bank.network.config.sample_rate
        heard = torch.zeros(len(pairs), self.encoder.size)
        embedded = torch.stack([conditions[name] for name, _ in pairs])
        for window, part in parts():
            outputs = self._run(resampled(part, sample_rate, rate), embedded, [key for _, key in pairs])
            heard += (window.last - window.first) * self.encoder.embed_audio(outputs.mean(dim=1), rate)
        likeness = (F.normalize(heard, dim=-1) * embedded).sum(dim=-1).tolist()
        by_source: dict[str, dict[str, float]] = {name: {} for name in conditions}
        for (name, key), value in zip(pairs, likeness, strict=True):
            by_source[name][key] = value
        return {name: self._listen(by_source[name], embedding) for name, embedding in conditions.items()}

    def _contrasted(
        self, parts: Callable[[], Parts], sample_rate: int, planned: Plan, choices: dict[str, Activation]
    ) -> tuple[Plan, dict[str, Activation]]:
        """Contrast each target that shares with none with what it leaves over, if the policy asks for it."""
        lonely = [name for name, target in planned.targets.items() if target.rivals == (target.source,)]
        if not self.policy.contrasts or not lonely:
            return planned, choices
        rate = self.bank.network.config.sample_rate
        asked = torch.stack([planned.conditions[name] for name in lonely])
        rests = [Rest(condition, self.encoder, rate) for condition in asked]
        for window, part in parts():
            mixture = resampled(part, sample_rate, rate)
            kept = _kept(window, sample_rate, rate)
            for rest, estimate in zip(rests, self._run(mixture, asked, [choices[n] for n in lonely]), strict=True):
                rest.hear(mixture[:, kept], estimate[:, kept])
        heard = {_REST + name: rest.condition for name, rest in zip(lonely, rests, strict=True)}
        found = {name: condition for name, condition in heard.items() if condition is not None}
        sharing = {name: Target(name, (name,), _REST + name) for name in lonely if _REST + name in found}
        both = Plan({**planned.conditions, **found}, {**planned.targets, **sharing})
        return both, choices | self._choose(found)

    def separate_file(
        self,
        path: Path | str,
        queries: Sequence[str | Query],
        output_dir: Path | str,
        residual: bool = False,
        subtype: str | None = None,
        clip: Clip = "limit",
        highband: Highband | None = None,
        name: str | None = None,
        taken: Collection[Path] = (),
        progress: Progress = no_progress,
        consistent: bool = False,
        silence_if_absent: float | None = None,
    ) -> list[Separated]:
        """Separate a file from disk to disk and write one file a query: ``{name}_{query}``, in the input's format.

        Formats that are read but not written (mp3, aiff) become wav. Rate, channels and length are the input's, the
        sample format too unless ``subtype`` is given. Memory does not grow with the length.

        Args:
            queries: sentences, or other queries.
            residual, subtype, clip: as :class:`~dplass_cli.separation.output.Output`.
            highband: also; default ``residual``, and ``target`` for queries of everything but something.
            name: of the outputs; default the input's.
            taken: other files, by their resolved paths, that no output may overwrite either.
            progress: told the samples done, of a first pass that only listens (where the policy needs one) and of the
                separation; what it raises ends the separation, and nothing is left behind.
            consistent: the targets share the recording by masks that add up to one at most, so that no sound is
                counted twice.
            silence_if_absent: targets whose presence is below this score become silence, and what was in them residual.

        Raises:
            InputError: the file or an example cannot be read, or an output would overwrite it or what is taken.
            RunError: the disk is full, or a target is over full scale and ``clip`` is ``error``.
        """
        path = Path(path)
        info = audio_info(path)
        asked = self.check(queries)
        if residual and RESIDUAL in asked:
            raise InputError(f"--query {RESIDUAL}: is the name of what is left over; say it otherwise")
        laid = layout(info.sample_rate, self.bank.network.config)
        rest = all(query.is_rest for query in asked.values())
        output = Output(residual, subtype, clip, highband or ("target" if rest else "residual"))
        names = [*asked, *([RESIDUAL] if residual else [])]
        paths = target_paths(info, Path(output_dir), name or path.stem, names, {path.resolve(), *taken})

        def parts() -> Parts:
            return parts_of_file(path, info.frames, laid)

        def listening() -> Parts:
            """The parts for a first pass, which tells how far it is too and can be cancelled."""
            for window, part in parts():
                progress(window.first, info.frames, f"listening to {path.name}")
                yield window, part

        def excerpt(start: float, end: float) -> Tensor:
            if round(start * info.sample_rate) >= info.frames:
                return torch.zeros(0)
            return torch.from_numpy(read_mono(path, self.encoder.sample_rate, start, end))

        planned = plan(asked, self.encoder, excerpt, consistent)
        choices = self._decide(listening, info.sample_rate, planned.conditions)
        planned, choices = self._contrasted(listening, info.sample_rate, planned, choices)
        meter = self._meter(asked, planned)
        done = 0
        with open_targets(paths, info, output, silencing=silence_if_absent is not None) as files:
            for block in self._stream(parts(), info.sample_rate, planned, choices, meter):
                files.write(block.recording, block.targets, block.high)
                done += block.recording.shape[-1]
                progress(done, info.frames, f"separating {path.name}")
            if silence_if_absent is not None:
                files.silenced = {name for name, found in meter.found.items() if found.score < silence_if_absent}
        gain = 20 * float(np.log10(files.gain))
        return [
            Separated(
                name, file, choices.get(name), files.clipped[name], gain, meter.found.get(name), name in files.silenced
            )
            for name, file in paths.items()
        ]

    def _meter(self, asked: Mapping[str, Query], planned: Plan) -> PresenceMeter:
        """What listens whether the targets are there; of everything but something there is nothing to listen for."""
        conditions = {name: planned.conditions[name] for name, query in asked.items() if not query.is_rest}
        others = {name for name, query in asked.items() if not query.text or query.spans}
        calibration = calibration_of(self.bank.base_sha256, self.encoder.fingerprint)
        return PresenceMeter(conditions, self.encoder, self.bank.network.config.sample_rate, calibration, others)

    def _stream(
        self,
        parts: Parts,
        sample_rate: int,
        planned: Plan,
        choices: Mapping[str, Activation],
        meter: PresenceMeter | None = None,
    ) -> Iterator[Block]:
        """Separate window by window."""
        network = self.bank.network
        rate = network.config.sample_rate
        conditions = torch.stack(list(planned.conditions.values()))
        for window, part in parts:
            mixture = resampled(part, sample_rate, rate)
            estimates = self._run(mixture, conditions, [choices[source] for source in planned.conditions])
            outputs = share(estimates, mixture, planned, network.base.stft, self.stereo == "shared")
            if meter is not None:
                kept = _kept(window, sample_rate, rate)
                meter.hear(mixture[:, kept], dict(zip(planned.targets, outputs[..., kept], strict=True)))
            targets = resampled(outputs.numpy(), rate, sample_rate, part.shape[-1]).numpy()[..., window.kept]
            high = None
            if sample_rate > rate:
                low = resampled(mixture.numpy(), rate, sample_rate, part.shape[-1]).numpy()
                high = (part - low)[:, window.kept]
            yield Block(part[:, window.kept], targets, high)

    @torch.inference_mode()
    def _run(self, mixture: Tensor, conditions: Tensor, activations: Sequence[Activation]) -> Tensor:
        """Separate float32 (C, n) at the network's rate by queries (Q, D): (Q, C, n) on the CPU.

        The mixture is transformed once for all queries.
        """
        network, length = self.bank.network, mixture.shape[-1]
        padded = F.pad(mixture, (0, max(0, network.config.n_fft - length)))  # the shortest that can be transformed
        analysis = network.analyse(padded[:, None].to(self._device))
        if self.stereo == "shared":
            energy = analysis.magnitude.square().mean(dim=0, keepdim=True)
            analysis = Analysis(analysis.spectrum, energy.sqrt(), analysis.length)
        outputs: dict[int, Tensor] = {}
        order = sorted(range(len(activations)), key=lambda at: str(activations[at]))  # each adapter is merged once
        for at in order:
            if self.bank.active != activations[at]:
                self.bank.activate(activations[at])
            condition = conditions[at].to(self._device).expand(len(analysis.magnitude), -1)
            with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bfloat16):
                separated = network(analysis, condition)
            outputs[at] = separated[:, 0, :length].cpu()
        return torch.stack([outputs[at] for at in range(len(activations))])


def _kept(window: Window, sample_rate: int, rate: int) -> slice:
    """Where what is kept of a window lies in it when it is resampled."""
    return slice(window.kept.start * rate // sample_rate, -(-window.kept.stop * rate // sample_rate))


def resampled(audio: Audio, source: int, target: int, length: int | None = None) -> Tensor:
    """Resample float32 (..., T); cut or pad the sample that going there and back leaves too many or too few."""
    heard = torch.from_numpy(resample(np.ascontiguousarray(audio), source, target))
    if length is None or heard.shape[-1] == length:
        return heard
    return F.pad(heard, (0, max(0, length - heard.shape[-1])))[..., :length]
