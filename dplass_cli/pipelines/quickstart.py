"""``quickstart``: the whole chain on built-in sounds, every artefact in one folder."""

from __future__ import annotations

import base64
import hashlib
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dplass_cli import sounds
from dplass_cli.audio.reading import read_audio
from dplass_cli.audio.writing import write_audio
from dplass_cli.data.manifest import Row
from dplass_cli.data.mixture_tables import Mixture, write_mixtures
from dplass_cli.data.prepare.preparation import PrepareResult
from dplass_cli.devices import choose_device
from dplass_cli.errors import InputError
from dplass_cli.evaluation.metrics import sdr
from dplass_cli.evaluation.run import EvaluateResult
from dplass_cli.options.data_settings import DataSettings
from dplass_cli.options.evaluate_options import EvaluateOptions
from dplass_cli.options.partition_options import PartitionOptions
from dplass_cli.options.prepare_audioset_options import PrepareAudiosetOptions
from dplass_cli.options.quickstart_options import QuickstartOptions
from dplass_cli.options.separate_options import SeparateOptions
from dplass_cli.options.train_options import TrainOptions
from dplass_cli.options.train_settings import OptimizerSettings, TrainSettings
from dplass_cli.pipelines.evaluate import evaluate
from dplass_cli.pipelines.partition import PartitionResult, partition
from dplass_cli.pipelines.prepare_audioset import prepare_audioset
from dplass_cli.pipelines.separate import separate
from dplass_cli.pipelines.train import train
from dplass_cli.storage import Progress, make_folder, no_progress, read_json, write_json, write_text
from dplass_cli.training.train_result import TrainResult

RATE = 32000
_UNFINISHED = ".unfinished.json"
_TRAINING_SEED, _EVALUATION_SEED = 1000, 2000  # none of them were heard by the bundled models


@dataclass(frozen=True)
class QuickstartResult:
    """What each verb gave, the example recording, its separated target and how much better that is, in dB."""

    prepared: PrepareResult
    partitioned: PartitionResult
    trained: TrainResult
    evaluated: EvaluateResult
    mixture: Path
    target: Path
    sdri: float


def quickstart(options: QuickstartOptions, progress: Progress = no_progress) -> QuickstartResult:
    """Run all five verbs on sounds that are made on the spot.

    One that was killed goes on when it is run again.

    Raises:
        InputError: the folder holds something already.
    """
    folder = options.folder
    choose_device(options.device)  # a wrong one is told before anything is written
    _take(options)
    _write_corpus(folder / "corpus", options.clips, progress)
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
        PartitionOptions(folder / "train.json", folder / "partition", device=options.device), progress
    )
    trained = train(_train_options(options), progress)
    _write_mixtures(folder / "evaluation", options.mixtures)
    evaluated = evaluate(
        EvaluateOptions(
            metadata_csv=folder / "evaluation" / "mixtures.csv",
            output=folder / "evaluation" / "results",
            adapters=(str(trained.output),),
            device=options.device,
        ),
        progress,
    )["custom"]
    mixture, reference = _write_recording(folder / "listen")
    separated = separate(
        SeparateOptions(
            inputs=(mixture,),
            query=("a dog barking",),
            output=folder / "listen",
            residual=True,
            adapters=(str(trained.output),),
            device=options.device,
        ),
        progress,
    )
    target = separated.written[str(mixture)][0].path
    (folder / _UNFINISHED).unlink()
    return QuickstartResult(
        prepared, partitioned, trained, evaluated, mixture, target, _sdri(reference, mixture, target)
    )


def _take(options: QuickstartOptions) -> None:
    """Take a folder that is empty, or holds a quickstart of the same settings that did not come to its end."""
    folder, mark = options.folder, options.folder / _UNFINISHED
    settings = {"clips": options.clips, "steps": options.steps, "mixtures": options.mixtures}
    if mark.is_file() and read_json(mark) == settings:
        return
    if folder.exists() and (
        not folder.is_dir() or any(not path.name.startswith(".writing-") for path in folder.iterdir())
    ):
        raise InputError(f"{folder}: holds something already; give another folder for the quickstart")
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


def _write_corpus(folder: Path, clips: int, progress: Progress) -> None:
    """Write the built-in sounds as AudioSet would have them: clips, a segment list and the class list."""
    lines = ["# built-in sounds of dplass", f"# num_segs={clips * len(sounds.CATALOGUE)}", "# YTID, start, end, labels"]
    classes = ["index,mid,display_name"]
    for index, kind in enumerate(sounds.CATALOGUE):
        progress(index, len(sounds.CATALOGUE), "sounds")
        classes.append(f'{index},{kind.mid},"{kind.label}"')
        for number in range(clips):
            identity = _identity(f"{kind.name} {number}")
            audio = sounds.render(kind.name, _TRAINING_SEED + number, 5.0, RATE)
            write_audio(folder / "audio" / f"Y{identity}.wav", audio[None], RATE, "PCM_16")
            lines.append(f'{identity}, 0.000, 5.000, "{kind.mid}"')
    write_text(folder / "segments.csv", "\n".join(lines) + "\n")
    write_text(folder / "class_labels_indices.csv", "\n".join(classes) + "\n")


def _identity(text: str) -> str:
    """Eleven characters of the alphabet of video ids."""
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode()[:11]


def _write_mixtures(folder: Path, count: int) -> None:
    """Write clips that were not trained on, and a table of mixtures of two classes at 0 dB."""
    chooser = random.Random(0)
    clips = {}
    for kind in sounds.CATALOGUE:
        clips[kind.name] = folder / "audio" / f"{kind.name}.wav"
        audio = sounds.render(kind.name, _EVALUATION_SEED, 5.0, RATE)
        write_audio(clips[kind.name], audio[None], RATE, "PCM_16")
    kinds = list(sounds.CATALOGUE)
    mixtures = []
    for number in range(count):
        target = kinds[number % len(kinds)]
        noise = chooser.choice([kind for kind in kinds if kind.group != target.group])
        mixtures.append(Mixture(Row(clips[target.name], target.label), Row(clips[noise.name], noise.label)))
    write_mixtures(folder / "mixtures.csv", mixtures)


def _write_recording(folder: Path) -> tuple[Path, Path]:
    """Write an ordinary recording, 44.1 kHz stereo: a dog on the left in the rain; and the dog alone."""
    rate = 44100
    make_folder(folder)
    dog, rain = (sounds.render(name, _EVALUATION_SEED + 1, 8.0, rate) for name in ("dog_bark", "rain"))
    dog = np.stack([dog, 0.5 * dog]) * (0.3 / np.abs(dog).max())
    rain = np.stack([rain, rain]) * np.sqrt(np.square(dog).mean() / np.square(rain).mean())
    mixture, reference = folder / "dog_in_the_rain.wav", folder / "dog_reference.wav"
    write_audio(mixture, (dog + rain).astype(np.float32), rate, "PCM_16")
    write_audio(reference, dog.astype(np.float32), rate, "PCM_16")
    return mixture, reference


def _sdri(reference: Path, mixture: Path, target: Path) -> float:
    true, mixed, separated = (read_audio(path)[0].reshape(-1) for path in (reference, mixture, target))
    return sdr(true, separated) - sdr(true, mixed)
