"""``quickstart``: the whole chain on built-in sounds, every artefact in one folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dplass_cli.audio.reading import read_audio
from dplass_cli.data.built_in_corpus import write_corpus, write_evaluation_mixtures, write_recording
from dplass_cli.data.prepare.prepare_result import PrepareResult
from dplass_cli.devices import choose_device
from dplass_cli.domains.partitioning import PartitionResult
from dplass_cli.errors import InputError
from dplass_cli.evaluation.evaluation_run import EvaluateResult
from dplass_cli.evaluation.metrics import sdr
from dplass_cli.options.data_settings import DataSettings
from dplass_cli.options.evaluate_options import EvaluateOptions
from dplass_cli.options.partition_options import PartitionOptions
from dplass_cli.options.prepare_audioset_options import PrepareAudiosetOptions
from dplass_cli.options.quickstart_options import QuickstartOptions
from dplass_cli.options.separate_options import SeparateOptions
from dplass_cli.options.train_options import TrainOptions
from dplass_cli.options.train_settings import OptimizerSettings, TrainSettings
from dplass_cli.pipelines.evaluate import evaluate
from dplass_cli.pipelines.partition import partition
from dplass_cli.pipelines.prepare_audioset import prepare_audioset
from dplass_cli.pipelines.separate import separate
from dplass_cli.pipelines.train import train
from dplass_cli.storage import Progress, no_progress, read_json, require_folder, write_json
from dplass_cli.training.train_result import TrainResult

_UNFINISHED = ".unfinished.json"


@dataclass(frozen=True)
class QuickstartResult:
    """Result of :func:`quickstart`.

    Attributes:
        prepared: of ``prepare-audioset``.
        partitioned: of ``partition``.
        trained: of ``train``.
        evaluated: of ``evaluate``.
        mixture: the example recording.
        target: the sound that ``separate`` extracted from it.
        sdri: how much closer the target is to the reference than the recording, dB.
    """

    prepared: PrepareResult
    partitioned: PartitionResult
    trained: TrainResult
    evaluated: EvaluateResult
    mixture: Path
    target: Path
    sdri: float


def quickstart(options: QuickstartOptions, progress: Progress = no_progress) -> QuickstartResult:
    """Run all five verbs on synthesised sounds. If it is interrupted, the same call resumes it.

    Raises:
        InputError: the folder is not empty.
    """
    folder, device = options.folder, options.device
    choose_device(device)  # before anything is written
    _claim(options)
    write_corpus(folder / "corpus", options.clips, progress)
    prepared = prepare_audioset(
        PrepareAudiosetOptions(
            segments=(folder / "corpus" / "segments.csv",),
            labels=folder / "corpus" / "class_labels_indices.csv",
            audio_dir=(folder / "corpus" / "audio",),
            output=folder / "train.json",
        ),
        progress,
    )
    partitioned = partition(
        PartitionOptions(
            folder / "train.json",
            folder / "partition",
            val_mixtures=min(PartitionOptions.val_mixtures, options.mixtures),
            device=device,
        ),
        progress,
    )
    trained = train(_train_options(options), progress)
    adapters = (str(trained.output),)
    evaluated = evaluate(
        EvaluateOptions(
            metadata_csv=write_evaluation_mixtures(folder / "evaluation", options.mixtures),
            output=folder / "evaluation" / "results",
            adapters=adapters,
            device=device,
        ),
        progress,
    )["custom"]
    mixture, reference = write_recording(folder / "listen")
    separated = separate(
        SeparateOptions(
            inputs=(mixture,),
            query=("a dog barking",),
            output=folder / "listen",
            overwrite=True,
            residual=True,
            adapters=(str(trained.output),),
            device=options.device,
        ),
        progress,
    )
    target = separated.written[str(mixture)][0].path
    (folder / _UNFINISHED).unlink()
    sdri = _sdri(reference, mixture, target)
    return QuickstartResult(prepared, partitioned, trained, evaluated, mixture, target, sdri)


def _claim(options: QuickstartOptions) -> None:
    """Claim a folder that is empty, or contains an unfinished quickstart of the same sizes.

    Raises:
        InputError: it contains anything else.
    """
    folder, mark = options.folder, options.folder / _UNFINISHED
    settings = {"clips": options.clips, "steps": options.steps, "mixtures": options.mixtures}
    if mark.is_file() and read_json(mark) == settings:
        return
    # A killed write of the mark leaves a file named .writing-…
    if folder.exists() and any(not path.name.startswith(".writing-") for path in require_folder(folder).iterdir()):
        raise InputError(f"{folder}: is not empty; choose another folder for the quickstart")
    write_json(mark, settings)


def _train_options(options: QuickstartOptions) -> TrainOptions:
    settings = TrainSettings(
        OptimizerSettings(learning_rate=1e-3, schedule="cosine"),
        batch_size_per_device=4,
        num_workers=0,
        loss_type="negative_sdr",
        max_epochs=10_000,
        max_steps=options.steps,
    )
    return TrainOptions(
        partition=options.folder / "partition",
        workspace=options.folder / "run",
        data=DataSettings(),
        train=settings,
        device=options.device,
        resume=True,
    )


def _sdri(reference: Path, mixture: Path, target: Path) -> float:
    true, mixed, separated = (read_audio(path)[0].reshape(-1) for path in (reference, mixture, target))
    return sdr(true, separated) - sdr(true, mixed)
