"""The pipeline ``train``: whole networks, students, all data options, plans, unreadable files, TensorBoard."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_corpus import SMALL, losses, options
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from dplass_cli.audio.reading import fit_length, read_mono
from dplass_cli.audio.writing import write_audio
from dplass_cli.data.manifest import read_manifest
from dplass_cli.encoders import load_encoder, save_tiny_encoder
from dplass_cli.encoders.tiny import TinyEncoder
from dplass_cli.errors import InputError, RunError
from dplass_cli.models import load_base, save_base
from dplass_cli.models.resunet30 import ResUNet30
from dplass_cli.options.augmentation_settings import AugmentationSettings, PolaritySettings
from dplass_cli.options.data_settings import DataSettings
from dplass_cli.options.distil_settings import DistilSettings
from dplass_cli.options.encoder_settings import TinyEncoderConfig
from dplass_cli.options.model_options import ModelSpec
from dplass_cli.options.partition_options import PartitionOptions
from dplass_cli.options.train_options import TrainOptions
from dplass_cli.pipelines.partition import partition
from dplass_cli.pipelines.train import train
from dplass_cli.separation.bank import AdapterBank
from dplass_cli.separation.separator import Separator
from dplass_cli.sounds import render


@pytest.fixture(scope="module")
def bank(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Adapters of all three domains, trained at a high rate."""
    workspace = tmp_path_factory.mktemp("bank") / "run"
    return train(options(corpus, workspace)).output


def test_a_whole_base_is_trained_on_all_domains(corpus: Path, tmp_path: Path) -> None:
    given = replace(options(corpus, tmp_path / "run", epochs=1), what="base")
    result = train(given)
    assert result.output == tmp_path / "run" / "base.safetensors"
    assert not result.domains
    assert result.network is not None
    assert result.network.steps == 7  # 14 rows in batches of two
    assert result.network.validation_mixtures == 6
    trained, before = load_base(result.output), load_base(corpus / "base.safetensors")
    assert trained.encoder_fingerprint == load_encoder().fingerprint
    same = {name for name, value in before.state_dict().items() if torch.equal(value, trained.state_dict()[name])}
    parameters = {name for name, _ in before.named_parameters()}
    assert same & parameters == {name for name in parameters if trained.is_unread(name)}
    assert not any(name.endswith("running_var") and not trained.is_unread(name) for name in same)
    log = (tmp_path / "run" / "logs" / "base.log").read_text()
    assert all(f"val_sdri/domain{domain} " in log for domain in range(3))


def test_the_last_weights_are_validated_where_steps_end_a_run_within_an_epoch(corpus: Path, tmp_path: Path) -> None:
    given = replace(options(corpus, tmp_path / "run", epochs=10), what="base")
    limits = replace(given.train, max_steps=9, min_epochs=5, save_step_frequency=1)  # an epoch has 7 steps
    result = train(replace(given, train=limits))
    assert result.network is not None
    assert result.network.steps == 9
    first, second = losses(tmp_path / "run", "base")
    assert (first["step"], second["step"]) == (7, 9)
    assert second["val_sdri"] != first["val_sdri"]
    assert result.network.best_sdri == pytest.approx(max(first["val_sdri"], second["val_sdri"]), abs=1e-6)
    train(replace(given, train=replace(limits, max_steps=11), resume=True))
    assert [row["step"] for row in losses(tmp_path / "run", "base")] == [7, 11]


def test_a_fresh_network_of_any_width(corpus: Path, tmp_path: Path) -> None:
    given = replace(options(corpus, tmp_path / "run", epochs=1), what="base", network=replace(SMALL, channels=(6, 10)))
    assert load_base(train(given).output).config.channels == (6, 10)
    with pytest.raises(InputError, match=r"condition_size must be the encoder's 128"):
        train(replace(given, workspace=tmp_path / "no", network=replace(SMALL, condition_size=512)))


def test_a_base_is_trained_with_another_encoder_and_belongs_to_it(corpus: Path, tmp_path: Path) -> None:
    encoder = tmp_path / "encoder.safetensors"
    config = TinyEncoderConfig(size=SMALL.condition_size, buckets=64, word_size=8, hidden=8, mels=16, widths=(2,))
    save_tiny_encoder(encoder, TinyEncoder(config))
    folder = tmp_path / "partition"
    made = PartitionOptions(corpus / "train.json", folder, domains=2, features="text", encoder=str(encoder))
    partition(replace(made, val_mixtures=1))
    given = replace(options(corpus, tmp_path / "run", epochs=1), partition=folder, encoder=str(encoder))
    with pytest.raises(InputError, match="was trained with another encoder"):
        train(given)
    limits = replace(given.train, max_steps=1)
    trained = train(replace(given, what="base", data=DataSettings(semantic_filter=None), train=limits)).output
    assert load_base(trained).encoder_fingerprint == load_encoder(encoder).fingerprint


def distil(corpus: Path, bank: Path, workspace: Path, **settings: Any) -> TrainOptions:
    """Options of a student of the small base and its adapters."""
    given = replace(options(corpus, workspace), what="distil", adapters=(str(bank),))
    return replace(given, distil=DistilSettings(**settings))


def test_a_student_learns_the_outputs_of_the_adapters(corpus: Path, bank: Path, tmp_path: Path) -> None:
    given = distil(corpus, bank, tmp_path / "run")
    settings = replace(given.train, optimizer=replace(given.train.optimizer, learning_rate=1e-3), max_epochs=8)
    given = replace(given, train=settings)
    result = train(given)
    assert result.output.name == "student.safetensors"
    base = ModelSpec(base=corpus / "base.safetensors", encoder="tiny", adapters=(), device="cpu")
    teacher, student = replace(base, adapters=(bank,)), replace(base, base=result.output)
    domains = range(3)
    rows = [read_manifest(corpus / "partition" / f"domain{domain}.json")[0] for domain in domains]
    captions = [row.caption for row in rows]
    mixture = np.sum([fit_length(read_mono(row.wav, 32000), 64000) for row in rows], axis=0)[None]

    def output(spec: ModelSpec, policy: str, caption: str) -> np.ndarray:  # type: ignore[type-arg]
        return Separator.from_spec(spec, policy=policy)(mixture, 32000, [caption])[caption]

    wanted = [output(teacher, f"single:{domain}", caption) for domain, caption in zip(domains, captions, strict=True)]

    def error(spec: ModelSpec) -> float:
        outputs = [output(spec, "base", caption) for caption in captions]
        return sum(float(np.square(a - b).mean()) for a, b in zip(outputs, wanted, strict=True))

    assert error(student) < 0.8 * error(base)
    with pytest.raises(InputError, match="needs adapters to learn from"):
        train(replace(given, workspace=tmp_path / "no", adapters=None))


def test_a_student_of_half_the_width_is_a_base_of_its_own(corpus: Path, bank: Path, tmp_path: Path) -> None:
    given = distil(corpus, bank, tmp_path / "run", width=0.5, target_share=0.3, select="text")
    result = train(replace(given, train=replace(given.train, max_epochs=3)))
    curve = losses(tmp_path / "run", "student")
    assert curve[-1]["train_loss"] < 0.9 * curve[0]["train_loss"]
    assert load_base(result.output).config == replace(SMALL, pre_channels=2, channels=(2, 4))
    separator = Separator.from_spec(ModelSpec(base=result.output, encoder="tiny", device="cpu"))
    separated = separator(render("rain", 1, 2.5, 32000)[None], 32000, ["rain"])
    assert np.isfinite(separated["rain"]).all()


@pytest.mark.slow
def test_a_student_that_is_resumed_equals_one_that_was_not_interrupted(
    corpus: Path, bank: Path, tmp_path: Path
) -> None:
    def state(name: str, *stops: int) -> dict[str, torch.Tensor]:
        given = distil(corpus, bank, tmp_path / name, width=0.5, target_share=0.3)
        given = replace(given, train=replace(given.train, save_step_frequency=1), resume=True)
        for stop in stops:

            def progress(step: int, total: int, what: str, stop: int = stop) -> None:
                if step == stop:
                    raise RuntimeError("stands for a kill")

            with pytest.raises(RuntimeError, match="kill"):
                train(given, progress)
        train(given)
        return load_base(tmp_path / name / "student_last.safetensors").state_dict()

    stopped, whole = state("stopped", 3, 9), state("whole")
    for name, value in whole.items():
        torch.testing.assert_close(stopped[name], value, rtol=1e-6, atol=1e-8)


def test_a_student_that_its_teacher_cannot_teach_is_refused(corpus: Path, bank: Path, tmp_path: Path) -> None:
    given = distil(corpus, bank, tmp_path / "run")
    other = tmp_path / "other.safetensors"
    torch.manual_seed(1)
    save_base(other, ResUNet30(SMALL), load_encoder().fingerprint)
    for wrong, message in (
        (replace(given, network=replace(SMALL, sample_rate=16000)), "network.sample_rate 16000: .* set it to 32000"),
        (replace(given, network=replace(SMALL, condition_size=64)), "condition_size must be the encoder's 128"),
        (replace(given, base_checkpoint=str(other)), "domain0: belongs to another base"),
    ):
        with pytest.raises(InputError, match=message):
            train(replace(wrong, dry_run=True))


def test_all_data_options_work_together(corpus: Path, tmp_path: Path) -> None:
    for seed in range(2):
        write_audio(tmp_path / "noise" / f"{seed}.wav", render("typing", seed, 2.5, 32000)[None], 32000)
    given = options(corpus, tmp_path / "run", epochs=2)
    data = replace(
        given.data, noise_dir=tmp_path / "noise", use_text_ratio=0.5, negative_share=0.2, max_mix_num=3,
        augment=AugmentationSettings(polarity=PolaritySettings()),
    )  # fmt: skip
    settings = replace(given.train, loss_type={"negative_sdr": 1.0, "l1_wav": 10.0}, accumulate=2, patience=1)
    given = replace(given, domain="0", data=data, train=settings)
    result = train(given)
    assert result.domains[0].steps == 2 * 2  # at least three batches of two an epoch: two steps
    assert list((tmp_path / "run" / "embeddings").iterdir())  # audio embeddings
    wrong = replace(data, noise_dir=tmp_path / "gone")
    with pytest.raises(InputError, match="gone: no such folder"):
        train(replace(given, workspace=tmp_path / "no", data=wrong))


def test_a_dry_run_plans_and_writes_nothing(corpus: Path, tmp_path: Path) -> None:
    given = replace(options(corpus, tmp_path / "run", epochs=10), dry_run=True)
    plan = train(given).plan
    rows = {f"domain{n}": len(read_manifest(corpus / "partition" / f"domain{n}.json")) for n in range(3)}
    steps = {name: -(-count // 2) for name, count in rows.items()}
    expected = [(name, rows[name], steps[name], 10 * steps[name]) for name in rows]
    assert [(job.name, job.rows, job.steps_per_epoch, job.steps) for job in plan] == expected
    assert sum(rows.values()) == 14
    adapter = json.loads(json.dumps([job.parameters for job in plan]))
    assert len(set(adapter)) == 1
    limited = replace(given.train, accumulate=3, steps_per_epoch=2, max_steps=7)
    assert [job.steps for job in train(replace(given, train=limited)).plan] == [7, 7, 7]
    (whole,) = train(replace(given, what="base")).plan
    assert (whole.rows, whole.validation_mixtures) == (14, 6)
    base = load_base(corpus / "base.safetensors")
    assert whole.parameters == sum(p.numel() for name, p in base.named_parameters() if not base.is_unread(name))
    assert not (tmp_path / "run").exists()


def test_a_fast_dev_run_leaves_the_workspace_free(corpus: Path, tmp_path: Path) -> None:
    given = replace(options(corpus, tmp_path / "run", epochs=10), domain="0", fast_dev_run=True)
    for _ in range(2):  # it can be repeated
        result = train(given)
        assert result.domains[0].steps == 3
    assert result.output == tmp_path / "run" / "fast_dev_run" / "bank"
    assert AdapterBank(load_base(corpus / "base.safetensors")).load(result.output) == ["domain0"]
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["fast_dev_run"]


def test_a_run_that_patience_ended_stays_ended_when_resumed(corpus: Path, tmp_path: Path) -> None:
    given = options(corpus, tmp_path / "run", epochs=50)
    settings = replace(given.train, optimizer=replace(given.train.optimizer, learning_rate=1e-30), patience=2)
    given = replace(given, domain="1", train=settings)
    reached = train(given).domains[1]
    assert (reached.best_epoch, reached.epochs) == (0, 3)
    (tmp_path / "run" / "checkpoints" / "domain1" / "trained.json").unlink()  # killed just before its end
    again = train(replace(given, resume=True)).domains[1]
    assert (again.epochs, again.best_sdri) == (reached.epochs, reached.best_sdri)


def test_the_best_checkpoints_are_kept(corpus: Path, tmp_path: Path) -> None:
    given = options(corpus, tmp_path / "run", epochs=5)
    given = replace(given, domain="1", train=replace(given.train, save_top_k=2))
    reached = train(given).domains[1]
    rows = losses(tmp_path / "run", "domain1")
    curve = {int(row["epoch"]): row["val_sdri"] for row in rows}
    steps = {int(row["epoch"]): row["step"] for row in rows}
    best = sorted(curve, key=lambda epoch: -curve[epoch])[:2]
    kept = {path.name for path in (tmp_path / "run" / "checkpoints" / "domain1").glob("step*.ckpt")}
    assert kept == {f"step{steps[epoch]:08.0f}.ckpt" for epoch in best}
    assert reached.best_epoch == best[0]
    assert reached.best_sdri == pytest.approx(curve[best[0]], abs=1e-5)


def test_tensorboard_has_scalars_audio_and_spectrograms(bank: Path) -> None:
    events = EventAccumulator(str(bank.parent / "tf_logs" / "domain0"))
    events.Reload()
    tags: dict[str, Any] = events.Tags()
    assert {"val_sdri", "val_si_sdr", "train_loss_epoch"} <= set(tags["scalars"])
    for kind in ("audio", "images"):
        assert {f"item{n}/{what}" for n in (0, 1) for what in ("mixture", "target", "estimate")} <= set(tags[kind])
    assert len(events.Audio("item0/estimate")) == 2  # every epoch
    assert len(events.Audio("item0/target")) == 1


@pytest.fixture
def ninety(corpus: Path, tmp_path: Path) -> Any:
    """Makes a partition whose domain 0 has ninety files, a given number of them unreadable."""

    def make(bad: int) -> TrainOptions:
        folder = tmp_path / f"partition{bad}"
        folder.mkdir()
        for path in (corpus / "partition").iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        content = json.loads((folder / "domain0.json").read_text())
        items = []
        for number in range(90):
            item = dict(content["data"][number % len(content["data"])], id=f"clip{number}")
            wav = tmp_path / f"{bad}-{number}.wav"
            if number < bad:
                wav.write_bytes([b"", b"not audio", b"RIFF"][number % 3])
            else:
                wav.symlink_to(item["wav"])
            items.append({**item, "wav": str(wav)})
        (folder / "domain0.json").write_text(json.dumps({"data": items}))
        given = options(corpus, tmp_path / f"run{bad}", epochs=1)
        settings = replace(given.train, batch_size_per_device=9)
        return replace(given, partition=folder, domain="0", train=settings)

    return make


def test_ninety_files_with_five_unreadable_train_and_list_them(ninety: Any, tmp_path: Path) -> None:
    reached = train(ninety(5)).domains[0]
    assert set(reached.unreadable) == {str(tmp_path / f"5-{number}.wav") for number in range(5)}
    assert reached.steps == 10
    assert all("or remove it" in reason or "give a recording" in reason for reason in reached.unreadable.values())


def test_ninety_files_with_sixty_unreadable_stop(ninety: Any) -> None:
    with pytest.raises(RunError, match=r"2\d files cannot be read \(data.max_bad_files is 20\).*and \d+ more"):
        train(ninety(60))
