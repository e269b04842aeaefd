"""The Separator: any recording and any queries in, one target per query out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dplass_cli.audio.level import Normalization, array_normalization, file_normalization
from dplass_cli.audio.metadata import read_metadata
from dplass_cli.audio.reading import audio_info, check_samples, read_mono
from dplass_cli.devices import in_bfloat16
from dplass_cli.encoders import QueryEncoder
from dplass_cli.errors import InputError, RunError, check_choice
from dplass_cli.models.cuda_graphs import replay_windows
from dplass_cli.options.model_options import Backend, ModelSpec, Precision, Refinement, Stereo
from dplass_cli.options.separate_options import Clipping, FileFormat, Highband
from dplass_cli.separation.bank import AdapterBank
from dplass_cli.separation.core import NonFiniteOutput, SeparationCore
from dplass_cli.separation.kept_estimates import KeptEstimates
from dplass_cli.separation.loading import load_models
from dplass_cli.separation.output import (
    RESIDUAL,
    TEMPLATE,
    Existing,
    Output,
    Separated,
    open_targets,
    suffix_of,
    target_paths,
)
from dplass_cli.separation.passes import Passes, PassProgress, Read, resampled
from dplass_cli.separation.policies import (
    Choice,
    DomainTexts,
    Policy,
    chooses_by_query,
    default_selection,
    make_policy,
    parse_selection,
    require,
)
from dplass_cli.separation.presence import PresenceMeter, calibration_of
from dplass_cli.separation.queries import Excerpt, Plan, Query, Source, check_spans, named, plan
from dplass_cli.separation.separated_audio import SeparatedAudio
from dplass_cli.separation.windows import WindowedAudio, WindowLayout, audio_windows, file_windows, fitting_windows
from dplass_cli.storage import Progress, no_progress, resolved
from dplass_cli.weights.named_models import read_named_models, resolve_model


class Separator:
    """Separates recordings by queries, with a base, its encoder and a bank of adapters.

    Args:
        bank: the base model and its adapters.
        encoder: the encoder that the base was trained with.
        policy: chooses the adapter that serves a query; it must not need the true source.
        stereo: ``shared``: one mask for all channels, from the mean of their energies, which keeps every sound at its
            place between the channels; ``each``: one mask per channel, at the cost of one forward pass per channel.
        precision: of the convolutions; ``auto``: ``bf16-mixed`` on GPUs and CPUs with hardware for it, otherwise
            ``32-true``.
        refine: ``residual`` refines each target that competes with no other
            (:mod:`dplass_cli.separation.refinement`); ``none`` does not.
        window: seconds that are separated at once, without their context; None: by length and memory.
    """

    def __init__(
        self,
        bank: AdapterBank,
        encoder: QueryEncoder,
        policy: Policy,
        stereo: Stereo = "shared",
        precision: Precision = "auto",
        refine: Refinement = "none",
        window: float | None = None,
    ) -> None:
        check_choice("--refine", refine, get_args(Refinement))
        if "reference" in policy.requires:
            raise InputError(f"--select {policy.name}: needs the true source; use it in evaluations only")
        if refine == "residual" and not chooses_by_query(policy):
            raise InputError(
                f"--refine residual: --select {policy.name} does not choose by the query; use --refine none"
            )
        check_choice("--stereo", stereo, get_args(Stereo))
        self.bank, self.encoder, self.policy, self.stereo, self.refine = bank, encoder, policy, stereo, refine
        self.core = SeparationCore(bank, stereo == "shared", in_bfloat16(precision, bank.device))
        self.window = window
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
        precision: Precision = "auto",
        refine: Refinement | None = None,
        model: str | Path | None = None,
        window: float | None = None,
    ) -> Separator:
        """Load models by name or file.

        Args:
            base: ``tiny`` (bundled) or a checkpoint; what ``model`` may name is accepted too.
            encoder: ``tiny`` or a file; default: the base's own.
            adapters: banks, adapter folders or published files; default: the bundled bank with the tiny base.
            policy: any but ``oracle``; default: as measured for the models
                (:func:`~dplass_cli.separation.policies.default_selection`).
            device: ``auto``, ``cpu``, ``cuda[:N]`` or ``mps``.
            tokenizer: folder of the tokenizer of a CLAP encoder.
            trust: also read pickled files that contain more than weights; such files can execute code.
            stereo: as for the class.
            backend: ``torch``, ``openvino``, or ``auto``: the faster one on this device, with graphs on CUDA.
            precision: as for the class.
            refine: ``none`` or ``residual``; default: as measured for the models, ``none`` where a policy is given.
            model: a named model (``dplass models``), a folder with ``base.safetensors``, or ``hf:owner/name``, instead
                of a base, encoder and adapters.
            window: as for the class.

        Raises:
            InputError: something is missing or damaged, or the parts do not belong together.
        """
        listed = [adapters] if isinstance(adapters, (str, Path)) else adapters
        if model is None and str(base) != "tiny" and (str(base) in read_named_models() or Path(base).is_dir()):
            model, base = base, "tiny"
        spec = ModelSpec(
            name=None if model is None else str(model),
            base=base,
            encoder=encoder,
            adapters=None if listed is None else tuple(listed),
            tokenizer=tokenizer,
            device=device,
            precision=precision,
            backend=backend,
            trust=trust,
        )
        return cls.from_spec(spec, policy, stereo, refine, window)

    @classmethod
    def from_spec(
        cls,
        model: ModelSpec,
        policy: str | None = None,
        stereo: Stereo = "shared",
        refine: Refinement | None = None,
        window: float | None = None,
    ) -> Separator:
        """Load the models of a spec; the other arguments are those of :meth:`from_pretrained`."""
        model = resolve_model(model)
        models = load_models(model)
        if model.backend == "auto":
            replay_windows(models.network)
        chosen = parse_selection(policy, models.bank) if policy else default_selection(model.base, models.bank)
        refinement = refine or chosen.refine or "none"
        policy_object = make_policy(chosen.policy)
        return cls(models.bank, models.encoder, policy_object, stereo, model.precision, refinement, window)

    def __call__(
        self,
        audio: npt.NDArray[np.float32],
        sample_rate: int,
        queries: Sequence[str | Query],
        consistent: bool = False,
        presence: bool = False,
        progress: Progress = no_progress,
    ) -> SeparatedAudio:
        """Separate what each query describes.

        Args:
            audio: float32 (C, T), any rate and number of channels.
            sample_rate: Hz.
            queries: sentences, or other queries.
            consistent: the targets share the recording, so that no sound is counted twice.
            presence: also measure whether the recording contains what the queries describe, which embeds every target.
            progress: called with the samples done; an exception that it raises ends the separation.

        Returns:
            {query, or its name: float32 (C, T)} at the rate of the input; a dict with more attributes.

        Raises:
            InputError: a query cannot be asked, the audio is not (C, T) with at least one sample, it contains samples
                that are NaN, infinite or above a million, or the sample rate is not positive.
            RunError: an output contains NaN or infinity.
        """
        asked = self.check(queries)
        if audio.ndim != 2 or audio.size == 0:
            raise InputError(f"audio: expected shape (channels, samples) with at least one sample, not {audio.shape}")
        if sample_rate < 1:
            raise InputError(f"sample_rate {sample_rate}: must be a positive number of Hz")
        audio = np.array(audio, dtype=np.float32, order="C")  # a copy: the result keeps it
        check_samples(audio, "audio")
        layout = self._windows(sample_rate, *audio.shape)

        def read(last: bool) -> WindowedAudio:
            for window, part in audio_windows(audio, layout):
                if not last:
                    progress(window.first, audio.shape[-1], "analysing")
                yield window, part

        def excerpt(start: float, end: float) -> Tensor:
            part = audio[:, round(start * sample_rate) : round(end * sample_rate)].mean(axis=0)
            if not len(part):
                return torch.zeros(0)
            return resampled(part, sample_rate, self.encoder.sample_rate)

        check_spans(asked.values(), audio.shape[1] / sample_rate)
        level_db = self.bank.network.config.input_level_db
        normalization = array_normalization(audio, sample_rate, level_db)
        try:
            with KeptEstimates() as kept:
                passes, planned = self._begin(read, sample_rate, normalization, kept, asked, excerpt, consistent)
                meter = self._presence_meter(asked, planned) if presence else None
                blocks, done = [], 0
                for recording, block, _ in passes.targets(planned, meter):
                    blocks.append(block)
                    done += recording.shape[-1]
                    progress(done, audio.shape[-1], "separating")
        except NonFiniteOutput as error:
            raise error.of("audio") from error
        targets = np.concatenate(blocks, axis=-1)
        if not np.isfinite(targets).all():  # sums of extreme samples overflow although the network's output is finite
            raise RunError("audio: targets would be NaN or infinite; check for samples far above full scale")
        return SeparatedAudio(
            dict(zip(asked, targets, strict=True)),
            recording=audio,
            sample_rate=sample_rate,
            adapters={name: passes.choices.get(Source(name)) for name in asked},
            presence=meter.found if meter else {},
        )

    def __repr__(self) -> str:
        base, adapters = self.bank.network.source, len(self.bank.keys)
        return f"Separator(base={base!r}, adapters={adapters}, policy={self.policy.name!r}, refine={self.refine!r})"

    def sounds(self) -> dict[str, list[str]]:
        """The sounds that the encoder knows, by domain: :meth:`~dplass_cli.separation.policies.DomainTexts.sounds`."""
        return self._texts.sounds()

    def check(self, queries: Sequence[str | Query]) -> dict[str, Query]:
        """Check queries and the policy before anything is read (InputError), and return the queries by name."""
        asked = named(queries)
        require(self.policy, self.bank)
        if chooses_by_query(self.policy):
            texts = [text for query in asked.values() for text in query.sentences]
            for embedding in self.encoder.embed_text(texts or [*self.encoder.kinds[:1]] or ["any"]):
                self.policy.choose(Choice(embedding, self.bank, self._texts))
        return asked

    def _begin(
        self,
        read: Read,
        sample_rate: int,
        normalization: Normalization,
        kept: KeptEstimates,
        asked: Mapping[str, Query],
        excerpt: Excerpt,
        consistent: bool,
    ) -> tuple[Passes, Plan]:
        """Plan a recording's separation and make the passes that come before the last."""
        planned = plan(asked, self.encoder, excerpt, consistent)
        passes = Passes(self.core, self.encoder, self.policy, self._texts, read, sample_rate, normalization, kept)
        passes.choose(planned.conditions)
        return passes, passes.refine(planned) if self.refine == "residual" else planned

    def _windows(self, sample_rate: int, channels: int, length: int) -> WindowLayout:
        rows = channels if self.stereo == "each" else 1
        return fitting_windows(sample_rate, length, self.bank.network, rows, self.window)

    def _presence_meter(self, asked: Mapping[str, Query], planned: Plan) -> PresenceMeter:
        """Measures the presence of all targets but removals, for which it is not defined."""
        measured = [name for name, query in asked.items() if self.encoder.embeds_audio and not query.is_removal]
        described = {name: planned.conditions[Source(name)] for name in measured}
        calibration = calibration_of(self.bank.base_sha256, self.encoder.fingerprint)
        uncalibrated = {name for name, query in asked.items() if not query.text or query.spans}
        rate = self.bank.network.config.sample_rate
        return PresenceMeter(described, self.encoder, rate, calibration, uncalibrated)

    def _pass_weights(self) -> list[int]:
        """How often the network runs per window in each pass over a recording, per query."""
        choosing = [] if chooses_by_query(self.policy) else [max(1, len(self.bank.keys))]
        return [*choosing, 1, *choosing, 1] if self.refine == "residual" else [*choosing, 1]

    def separate_file(
        self,
        path: Path | str,
        queries: Sequence[str | Query],
        output_dir: Path | str,
        residual: bool = False,
        subtype: str | None = None,
        clip: Clipping = "limit",
        highband: Highband | None = None,
        name: str | None = None,
        taken: Collection[Path] = (),
        progress: Progress = no_progress,
        consistent: bool = False,
        silence_if_absent: float | None = None,
        mix: float = 1.0,
        template: str = TEMPLATE,
        format: FileFormat | None = None,
        bitrate: int | None = None,
        existing: Existing = "overwrite",
        video: bool = False,
        track: int = 0,
    ) -> list[Separated]:
        """Separate a file from disk to disk and write one file per query: ``{name}_{query}``, in the input's format.

        Formats that are read but not written (mp3, aiff) become wav. Rate, channels and length are the input's, and so
        is the sample format unless ``subtype`` is given. Memory does not grow with the length.

        Args:
            path: the recording.
            queries: sentences, or other queries.
            output_dir: folder of the outputs.
            residual: also write the input minus all targets.
            subtype: sample format of the outputs, such as ``PCM_16`` or ``FLOAT``; default: the input's.
            clip: what to do with samples above full scale: ``limit`` each, ``scale`` all outputs, or raise an
                ``error``.
            highband: where the part above the model's band goes: ``residual``, ``target`` or ``drop``; default:
                ``residual``, and ``target`` where all queries are removals.
            name: of the outputs; default: the input's.
            taken: other files, by their resolved paths, that no output may overwrite.
            progress: called with the samples done in all passes, weighted by their work; an exception that it raises
                ends the separation, and nothing is left on the disk.
            consistent: the targets share the recording by masks that add up to at most one, so that no sound is
                counted twice.
            silence_if_absent: targets whose presence is below this score become silence; their content goes into the
                residual.
            mix: share of the result in each output; the rest is the recording.
            template: of the names of the outputs: ``{stem}`` is ``name``, ``{query}`` the query's.
            format: file format of the outputs; default: the input's where it can be written, otherwise wav.
            bitrate: of opus, mp3 and m4a, kbit/s; default: by the number of channels.
            existing: what to do where an output exists: ``refuse``, ``overwrite`` it, or ``skip`` the recording, whose
                result is then an empty list, if all its outputs exist.
            video: the recording is a video; write videos with its pictures.
            track: which of the audio tracks of a video or another container, from 0 on.

        Raises:
            InputError: the file or an example cannot be read, it contains samples above a million, an example or the
                recording at the spans is silent, an output would overwrite the input or a taken file, or it exists and
                ``existing`` is ``refuse``.
            RunError: the disk is full, a target is above full scale with ``clip="error"``, or an output contains NaN or
                infinity.
        """
        path = Path(path)
        info = audio_info(path, track)
        asked = self.check(queries)
        if silence_if_absent is not None and not self.encoder.embeds_audio:
            raise InputError("--silence-if-absent: this model's encoder cannot compare sounds; leave it out")
        if residual and RESIDUAL in asked:
            raise InputError(f"--query {RESIDUAL}: is the name of the residual; word the query differently")
        check_spans(asked.values(), info.seconds)
        layout = self._windows(info.sample_rate, info.channels, info.frames)
        removals = {name for name, query in asked.items() if query.is_removal}
        band = highband or ("target" if len(removals) == len(asked) else "residual")
        output = Output(residual, subtype, clip, band, mix, format, bitrate, existing, path if video else None, track)
        names = [*asked, *([RESIDUAL] if residual else [])]
        taken = {resolved(path), *taken}
        paths = target_paths(Path(output_dir), name or path.stem, names, taken, suffix_of(info, output), template)
        if output.is_skipped(paths.values()):
            return []

        report = PassProgress(progress, info.frames, path.name, self._pass_weights())

        def read(last: bool) -> WindowedAudio:
            report.begin(last)
            for window, part in file_windows(path, info.frames, layout, track):
                if not last:
                    report.at(window.first)
                yield window, part

        def excerpt(start: float, end: float) -> Tensor:
            if round(start * info.sample_rate) >= info.frames:
                return torch.zeros(0)
            return torch.from_numpy(read_mono(path, self.encoder.sample_rate, start, end, track))

        normalization = file_normalization(path, info, self.bank.network.config.input_level_db, track)
        try:
            with KeptEstimates(Path(output_dir)) as kept:
                passes, planned = self._begin(read, info.sample_rate, normalization, kept, asked, excerpt, consistent)
                meter = self._presence_meter(asked, planned)
                done = 0
                silencing = silence_if_absent is not None
                with open_targets(paths, info, output, silencing, removals, read_metadata(path, track)) as files:
                    for recording, targets, high in passes.targets(planned, meter):
                        files.write(recording, targets, high)
                        done += recording.shape[-1]
                        report.at(done)
                    if silence_if_absent is not None:
                        files.silenced = {
                            name for name, found in meter.found.items() if found.score < silence_if_absent
                        }
        except NonFiniteOutput as error:
            raise error.of(path) from error
        gain_db = 20 * float(np.log10(files.gain))
        return [
            Separated(
                query=query,
                path=file,
                adapter=passes.choices.get(Source(query)),
                clipped=files.clipped[query],
                gain_db=gain_db,
                presence=meter.found.get(query),
                silenced=query in files.silenced,
            )
            for query, file in paths.items()
        ]
