"""LaSAFT from the command line's options to files: the published path, windows, adapters and training."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from lasaft_checkpoints import golden_case, write_lightning, write_small
from small_networks import FOUR_SOURCES, small_lasaft

from dplass_cli.adapters.algebra import merge
from dplass_cli.adapters.bank_folder import load_single_adapter
from dplass_cli.audio.reading import read_audio
from dplass_cli.audio.writing import write_audio
from dplass_cli.data.manifest import Row, read_manifest, write_manifest
from dplass_cli.data.mixture_tables import Mixture, write_mixtures
from dplass_cli.encoders import SourceNamesEncoder, load_encoder
from dplass_cli.errors import InputError
from dplass_cli.evaluation.item_records import read_item_scores
from dplass_cli.evaluation.metrics import sdr
from dplass_cli.evaluation.results_folder import FORMAT
from dplass_cli.models import load_base
from dplass_cli.models.openvino import openvino_core
from dplass_cli.options.adapter_settings import AdapterSettings
from dplass_cli.options.data_settings import DataSettings
from dplass_cli.options.evaluate_options import EvaluateOptions
from dplass_cli.options.export_options import ExportOptions
from dplass_cli.options.network_settings import LaSAFTConfig
from dplass_cli.options.parse import build_options
from dplass_cli.options.partition_options import PartitionOptions
from dplass_cli.options.prepare_options import CorpusOptions
from dplass_cli.options.separate_options import SeparateOptions
from dplass_cli.options.train_options import TrainOptions
from dplass_cli.options.train_settings import TrainSettings
from dplass_cli.pipelines.evaluate import evaluate, evaluate_songs
from dplass_cli.pipelines.export import export
from dplass_cli.pipelines.partition import partition
from dplass_cli.pipelines.prepare import prepare_corpus
from dplass_cli.pipelines.results import compare_results, scan_results
from dplass_cli.pipelines.separate import separate
from dplass_cli.pipelines.train import train
from dplass_cli.resources import resource
from dplass_cli.separation.bank import AdapterBank
from dplass_cli.separation.separator import Separator
from dplass_cli.sounds import render
from dplass_cli.storage import write_json

SOURCES = ["vocals", "drums", "bass", "other"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small published checkpoint, at 44.1 kHz."""
    return write_small(tmp_path_factory.mktemp("lasaft") / "small.ckpt", small_lasaft(config=FOUR_SOURCES))


def noise(channels: int, seconds: float) -> np.ndarray:  # type: ignore[type-arg]
    return 0.1 * np.random.default_rng(0).standard_normal((channels, round(seconds * 44100))).astype(np.float32)


def test_a_separated_file_equals_the_golden_waveforms(tmp_path: Path) -> None:
    state, settings, golden = golden_case("lasaft")
    path = write_lightning(tmp_path / "published.ckpt", state, settings)
    write_audio(tmp_path / "mix.wav", np.ascontiguousarray(golden["waveform"][0].T), 44100, "FLOAT")
    query = SOURCES[golden["condition"][0]]
    options = SeparateOptions(
        inputs=(tmp_path / "mix.wav",),
        query=(query,),
        output=tmp_path / "out",
        base_checkpoint=str(path),
        device="cpu",
    )
    ((target,),) = separate(options).written.values()
    assert target.presence is None
    audio, rate = soundfile.read(str(target.path), dtype="float32")
    assert (rate, audio.shape) == (44100, golden["separated"][0].shape)
    assert np.abs(audio - golden["separated"][0]).max() <= 1e-5


def test_a_loaded_checkpoint_has_the_hyper_parameters_that_it_contains(checkpoint: Path) -> None:
    network = load_base(checkpoint)
    assert network.config == FOUR_SOURCES
    assert network.name == "LaSAFT"


@pytest.mark.parametrize("rate", [44100, 48000, 16000])
def test_windows_give_the_same_as_the_whole_recording(rate: int, checkpoint: Path) -> None:
    separator = Separator.from_pretrained(checkpoint, device="cpu", window=0.7)
    mixture = noise(2, 6.0)[:, : 6 * rate]
    windowed = separator(mixture, rate, ["drums"])["drums"]
    separator.window = 60.0
    whole = separator(mixture, rate, ["drums"])["drums"]
    errors = np.square(windowed - whole)[:, : whole.shape[1] // 441 * 441].reshape(2, -1, 441).mean(axis=2)
    assert errors.any(), "there is only one window"
    assert 10 * np.log10(errors.max() / np.square(whole).mean()) < -60.0


@pytest.mark.parametrize("stereo", ["shared", "each"])
def test_stereo_is_separated_together(checkpoint: Path, stereo: str) -> None:
    separator = Separator.from_pretrained(checkpoint, device="cpu", stereo=stereo)  # type: ignore[arg-type]
    mixture = noise(2, 0.5)
    network = separator.bank.network
    with torch.inference_mode():
        expected = network(torch.from_numpy(mixture)[None], torch.eye(4)[3:])[0].numpy()
    np.testing.assert_allclose(separator(mixture, 44100, ["other"])["other"], expected, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_other_numbers_of_channels_are_separated_channel_by_channel(checkpoint: Path, channels: int) -> None:
    separator = Separator.from_pretrained(checkpoint, device="cpu")
    mixture = noise(channels, 0.5)
    found = separator(mixture, 44100, ["bass"])["bass"]
    for channel in range(channels):
        alone = separator(mixture[channel : channel + 1], 44100, ["bass"])["bass"]
        np.testing.assert_allclose(found[channel : channel + 1], alone, atol=1e-6)


def test_consistent_targets_add_up_to_the_recording(checkpoint: Path) -> None:
    separator = Separator.from_pretrained(checkpoint, device="cpu")
    mixture = noise(2, 0.5)
    targets = separator(mixture, 44100, SOURCES, consistent=True)
    assert set(targets) == set(SOURCES)
    assert np.isfinite(np.stack(list(targets.values()))).all()


def test_openvino_separates_as_torch_does_with_adapters_too(checkpoint: Path, bank: Path) -> None:
    pytest.importorskip("openvino", reason="pip install 'dplass[openvino]'")
    mixture = noise(2, 0.5)
    found = []
    for backend in ("torch", "openvino"):
        separator = Separator.from_pretrained(
            checkpoint,
            adapters=bank,
            policy="text",
            device="cpu",
            backend=backend,  # type: ignore[arg-type]
        )
        found.append(separator(mixture, 44100, SOURCES))
    for source in SOURCES:
        assert np.abs(found[0][source]).max() > 1e-4
        np.testing.assert_allclose(found[1][source], found[0][source], atol=1e-5)


def test_what_the_network_cannot_do_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"its embeddings have 128 values, the base .* expects 4"):
        Separator.from_pretrained(checkpoint, encoder="tiny", device="cpu")
    separator = Separator.from_pretrained(checkpoint, device="cpu")
    write_audio(tmp_path / "mix.wav", noise(2, 0.5), 44100, "FLOAT")
    with pytest.raises(InputError, match="'a violin' does not name one source"):
        separator.separate_file(tmp_path / "mix.wav", ["a violin"], tmp_path / "out")
    with pytest.raises(InputError, match="--silence-if-absent"):
        separator.separate_file(tmp_path / "mix.wav", ["bass"], tmp_path / "out", silence_if_absent=0.5)


@pytest.fixture(scope="module")
def stems(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a partition of clips of the four sources into two domains, made with the checkpoint's encoder."""
    folder = tmp_path_factory.mktemp("stems")
    rows = []
    for source, sound in zip(SOURCES, ("owl_hoot", "clock_tick", "helicopter", "flute"), strict=True):
        for seed in range(3):
            path = folder / f"{source}{seed}.wav"
            write_audio(path, render(sound, seed, 1.5, 44100)[None], 44100, "PCM_16")
            rows.append(Row(path, source, id=path.stem))
    write_manifest(folder / "train.json", rows)
    partition(
        PartitionOptions(
            folder / "train.json",
            folder / "partition",
            domains=2,
            features="text",
            val_mixtures=1,
            encoder=str(checkpoint),
        )
    )
    return folder


def options(stems: Path, checkpoint: Path, workspace: Path) -> TrainOptions:
    return TrainOptions(
        partition=stems / "partition",
        workspace=workspace,
        base_checkpoint=str(checkpoint),
        data=DataSettings(sampling_rate=44100, segment_seconds=0.2),
        train=TrainSettings(batch_size_per_device=2, num_workers=0, max_epochs=1, steps_per_epoch=1, examples=0),
        device="cpu",
    )


@pytest.fixture(scope="module")
def bank(stems: Path, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bank with a LoRA adapter for the first domain, after one step."""
    given = options(stems, checkpoint, tmp_path_factory.mktemp("bank") / "run")
    return train(replace(given, domain="0", adapter=AdapterSettings("lora"))).output


def test_a_trained_adapter_serves_its_domain(bank: Path, checkpoint: Path) -> None:
    separator = Separator.from_pretrained(checkpoint, adapters=bank, policy="text", device="cpu")
    mixture = noise(2, 0.3)
    adapted = separator(mixture, 44100, SOURCES)
    base = Separator.from_pretrained(checkpoint, adapters=(), policy="base", device="cpu")(mixture, 44100, SOURCES)
    changed = {source for source in SOURCES if np.abs(adapted[source] - base[source]).max() > 1e-7}
    assert set(separator.bank.domains["domain0"].captions) <= changed


def test_a_merged_adapter_separates_as_the_adapter_does(bank: Path, checkpoint: Path) -> None:
    network, mixture, condition = load_base(checkpoint), torch.from_numpy(noise(2, 0.3))[None], torch.eye(4)[:1]
    adapters = AdapterBank(load_base(checkpoint))
    adapters.load(bank)
    adapters.activate("domain0")
    merge(load_single_adapter(bank / "domain0", network), network)
    with torch.inference_mode():
        torch.testing.assert_close(network(mixture, condition), adapters.network(mixture, condition))


def test_a_new_network_is_trained_from_sentences(corpus: Path, tmp_path: Path) -> None:
    settings = ["network.name=lasaft", "network.condition_size=128", "network.sample_rate=32000", "network.n_fft=256"]
    settings += ["network.hop=128", "network.internal_channels=4", "network.n_blocks=3", "network.num_tdfs=2"]
    settings += ["train.batch_size_per_device=3", "train.num_workers=0", "train.max_epochs=1"]
    settings += ["train.steps_per_epoch=1", "train.examples=0", "data.segment_seconds=0.2"]
    flags = {"partition": corpus / "partition", "workspace": tmp_path / "run", "device": "cpu", "what": "base"}
    result = train(build_options(TrainOptions, settings=settings, flags=flags))
    network = load_base(result.output)
    assert isinstance(network.config, LaSAFTConfig)
    assert network.config.n_blocks == 3
    assert network.encoder_fingerprint == load_encoder().fingerprint
    separator = Separator.from_pretrained(result.output, encoder="tiny", device="cpu")
    assert separator(noise(2, 0.5), 44100, ["a dog barking"])["a dog barking"].shape == (2, 22050)


def test_a_network_that_does_not_fit_the_data_or_the_encoder_is_refused(corpus: Path, tmp_path: Path) -> None:
    flags = {"partition": corpus / "partition", "workspace": tmp_path / "run", "device": "cpu", "what": "base"}
    with pytest.raises(InputError, match=r"data.sampling_rate is 32000, the network works at 44100; set it to 44100"):
        train(build_options(TrainOptions, settings=["network.name=lasaft", "network.condition_size=128"], flags=flags))
    fitting = ["network.name=lasaft", "data.sampling_rate=44100"]
    with pytest.raises(InputError, match=r"network.condition_size 4: condition_size must be the encoder's 128"):
        train(build_options(TrainOptions, settings=fitting, flags=flags))


def test_an_adapter_of_another_network_is_refused(bank: Path) -> None:
    with pytest.raises(InputError, match="belongs to another base of another configuration"):
        Separator.from_pretrained("tiny", adapters=bank, device="cpu")


def test_the_published_configuration_is_shipped() -> None:
    flags = {"partition": Path("partition"), "workspace": Path("run")}
    shipped = build_options(TrainOptions, resource("configs/lasaft.yaml"), flags=flags)
    assert shipped.network == LaSAFTConfig(condition_size=128)
    assert shipped.data.segment_samples // shipped.network.hop + 1 == 128
    assert (shipped.train.patience, shipped.train.save_top_k, shipped.train.precision) == (10, 3, "16-mixed")


def test_evaluations_score_it_by_name(checkpoint: Path, stems: Path, bank: Path, tmp_path: Path) -> None:
    rows = read_manifest(stems / "train.json")
    pairs = [(rows[0], rows[3]), (rows[6], rows[9])]
    write_mixtures(tmp_path / "mixtures.csv", [Mixture(source, noise) for source, noise in pairs])
    options = EvaluateOptions(
        benchmark=("custom",),
        metadata_csv=tmp_path / "mixtures.csv",
        output=tmp_path / "evaluation",
        base_checkpoint=str(checkpoint),
        adapters=(str(bank),),
        device="cpu",
        report=False,
    )
    result = evaluate(options)["custom"]
    assert result.complete
    assert not result.unusable
    policies = set(result.scores.policies)
    assert {"base", "text", "oracle"} <= policies
    assert "audio" not in policies
    assert all(score.similarity is None for score in result.item_scores.values())


def small_graph_checkpoint(path: Path, spec_type: str = "complex") -> Path:
    """A checkpoint of a network that is exported quickly."""
    config = replace(FOUR_SOURCES, spec_type=spec_type, n_blocks=3, n_internal_layers=1, num_tdfs=2)  # type: ignore[arg-type]
    return write_small(path, small_lasaft(config=config))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:::torch", "ignore:::copyreg", "ignore:::onnxscript", "ignore:::copy")
@pytest.mark.parametrize(("spec_type", "suffix"), [("complex", ".onnx"), ("magnitude", ".xml")])
def test_an_exported_graph_separates_stereo(spec_type: str, suffix: str, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    path, graph = small_graph_checkpoint(tmp_path / "small.ckpt", spec_type), tmp_path / f"graph{suffix}"
    result = export(ExportOptions(base_checkpoint=str(path), adapters=(), output=graph))
    assert result.inputs == {"mixture": ["batch", 2, "samples"], "condition": ["batch", 4]}
    mixture = np.stack([noise(2, 0.2), 0.5 * noise(2, 0.2)])[..., :8001]
    condition = np.eye(4, dtype=np.float32)[[0, 2]]
    compiled = openvino_core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    targets = [compiled([mixture, condition])[0]]
    if suffix == ".onnx":
        session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        targets += session.run(["target"], {"mixture": mixture, "condition": condition})
    with torch.inference_mode():
        expected = load_base(path)(torch.from_numpy(mixture), torch.from_numpy(condition)).numpy()
    for target in targets:
        assert np.abs(target - expected).max() < 1e-4


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:::torch", "ignore:::copyreg", "ignore:::onnxscript", "ignore:::copy")
@pytest.mark.filterwarnings("ignore:::nncf")
def test_an_int8_graph_is_calibrated_on_stereo_clips_of_the_sources(
    stems: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("nncf", reason="pip install 'dplass[int8]'")
    monkeypatch.setattr("dplass_cli.models.quantization.MAX_LOSS_DB", 99.0)  # random weights have nothing to lose
    path = small_graph_checkpoint(tmp_path / "small.ckpt")
    given = ExportOptions(base_checkpoint=str(path), output=tmp_path / "graph.xml", precision="int8")
    export(replace(given, calibrate=str(stems / "train.json")))
    types = [operation.get_type_name() for operation in openvino_core().read_model(given.output).get_ops()]
    assert "FakeQuantize" in types
    mixture, condition = noise(2, 0.2)[None], np.eye(4, dtype=np.float32)[:1]
    compiled = openvino_core().compile_model(given.output, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    with torch.inference_mode():
        expected = load_base(path)(torch.from_numpy(mixture), torch.from_numpy(condition)).numpy()
    assert sdr(expected.ravel(), compiled([mixture, condition])[0].ravel()) > 15


@pytest.fixture(scope="module")
def musdb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Short songs in the form of MUSDB18, three for training and two for testing."""
    root = tmp_path_factory.mktemp("musdb")
    for number, split in enumerate(("train", "train", "test", "test", "train")):
        stems = {}
        for source, sound in zip(SOURCES, ("owl_hoot", "clock_tick", "helicopter", "flute"), strict=True):
            mono = render(sound, 100 + number, 1.2, 44100)
            stems[source] = np.stack([mono, 0.5 * mono]).astype(np.float32)
        for name, audio in {**stems, "mixture": sum(stems.values())}.items():
            path = root / split / f"Song {number}" / f"{name}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_audio(path, audio, 44100, "FLOAT")
    return root


def test_the_base_and_an_adapter_are_compared_on_songs(
    musdb: Path, bank: Path, checkpoint: Path, tmp_path: Path
) -> None:
    given = EvaluateOptions(
        benchmark=("musdb18",),
        data_root=musdb,
        output=tmp_path / "evaluation",
        base_checkpoint=str(checkpoint),
        adapters=(str(bank),),
        device="cpu",
    )
    result = evaluate_songs(given)
    assert result.songs == 2
    recorded = json.loads((result.folder / "results.json").read_text())
    assert recorded["base_sha256"] == load_base(given.base_checkpoint).sha256()
    assert len(recorded["adapters_sha256"]) == 1
    assert {(row["policy"], row["source"]) for row in result.scores} == {
        (policy, source) for policy in ("base", "text") for source in (*SOURCES, "all")
    }
    scores = pd.read_csv(result.folder / "songs.csv")
    separator = Separator.from_pretrained(checkpoint, adapters=(), policy="base", device="cpu")
    mixture, rate = read_audio(musdb / "test" / "Song 2" / "mixture.wav")
    reference, _ = read_audio(musdb / "test" / "Song 2" / "drums.wav")
    expected = sdr(reference.ravel(), separator(mixture, rate, ["drums"])["drums"].ravel())
    row = scores.query("song == 'Song 2' and source == 'drums' and policy == 'base'")
    assert row.sdr.item() == pytest.approx(expected, abs=1e-3)
    assert "| policy | source | SDR v4 |" in (result.folder / "results.md").read_text()
    page = (result.folder / "report.html").read_text()
    assert [title in page for title in ("MUSDB18</h2>", "Worst under text", "“vocals”, item Song ")] == [True] * 3
    means = {row["policy"]: row["sdri"] for row in result.scores if row["source"] == "all"}
    assert {name: score["sdri"] for name, score in recorded["policies"].items()} == pytest.approx(means)
    (base, text) = scan_results(tmp_path)
    assert (base.benchmark, base.policy, text.policy, base.n) == ("musdb18", "base", "text", 8)


def test_an_interrupted_evaluation_of_songs_resumes_with_the_next_song(
    musdb: Path, checkpoint: Path, tmp_path: Path
) -> None:
    given = EvaluateOptions(
        benchmark=("musdb18",), data_root=musdb, output=tmp_path / "one", base_checkpoint=str(checkpoint), device="cpu"
    )
    seen: list[str] = []

    def stop_at_the_second_song(done: int, total: int, what: str) -> None:
        seen.append(what)
        if what == "Song 3":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate_songs(given, stop_at_the_second_song)
    assert seen == ["Song 2", "Song 3"]
    kept = read_item_scores(tmp_path / "one")
    assert [score.idx for score in kept] == [f"Song 2/{source}" for source in SOURCES]
    with pytest.raises(InputError, match="contains an evaluation of other models, items or settings"):
        evaluate_songs(replace(given, precision="bf16-mixed"))
    resumed = evaluate_songs(given)
    whole = evaluate_songs(replace(given, output=tmp_path / "two", report=False))
    assert resumed.scores == whole.scores
    assert read_item_scores(tmp_path / "one")[:4] == kept  # with the seconds that they took
    lines = compare_results([tmp_path / "one", tmp_path / "two"]).lines
    assert [(line.policy, line.n, line.difference) for line in lines] == [("base", 8, 0.0)] * 2


def test_a_new_network_is_trained_on_songs_by_the_names_of_their_sources(musdb: Path, tmp_path: Path) -> None:
    prepare_corpus(CorpusOptions(kind="musdb18-sources", folder=musdb, output=tmp_path / "train.json"))
    encoder = SourceNamesEncoder.name
    made = partition(
        PartitionOptions(
            tmp_path / "train.json",
            tmp_path / "partition",
            domains=4,
            features="text",
            encoder=encoder,
            val_mixtures=1,
            seed=1,  # which leaves two songs for training, whose sources can be mixed
        )
    )
    captions = [caption for domain in made.partition.domains for caption in domain.captions]
    assert sorted(captions) == sorted(SOURCES)
    assert made.validation_mixtures == {0: 1, 1: 1, 2: 1, 3: 1}
    settings = TrainSettings(batch_size_per_device=4, num_workers=0, max_epochs=1, examples=0)
    result = train(
        TrainOptions(
            partition=tmp_path / "partition",
            workspace=tmp_path / "run",
            what="base",
            encoder=encoder,
            network=replace(FOUR_SOURCES, n_blocks=3, n_internal_layers=1),
            data=DataSettings(sampling_rate=44100, segment_seconds=0.1),
            train=settings,
            device="cpu",
        )
    )
    assert result.network is not None
    assert result.network.steps == 2
    separator = Separator.from_pretrained(result.output, device="cpu")
    assert separator(noise(2, 0.1), 44100, ["the drums"])["the drums"].shape == (2, 4410)


def test_what_songs_need_is_said(tmp_path: Path) -> None:
    def given(**changes: object) -> EvaluateOptions:
        defaults: dict[str, object] = {"benchmark": ("musdb18",), "output": tmp_path}
        return EvaluateOptions(**{**defaults, **changes})  # type: ignore[arg-type]

    with pytest.raises(InputError, match="--benchmark musdb18: give the folder that contains test as --data-root"):
        evaluate_songs(given())
    with pytest.raises(InputError, match="--benchmark musdb18: evaluates whole songs"):
        given(benchmark=("musdb18", "esc50"))
    with pytest.raises(InputError, match="--metric museval: is for --benchmark musdb18"):
        given(benchmark=("custom",), metric=("museval",))


def test_policies_that_see_the_stems_are_refused_for_songs(musdb: Path, bank: Path, checkpoint: Path) -> None:
    given = {"base_checkpoint": str(checkpoint), "adapters": (str(bank),), "device": "cpu", "select": ("oracle",)}
    options = EvaluateOptions(benchmark=("musdb18",), data_root=musdb, output=musdb / "evaluation", **given)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="--select oracle: is not available for --benchmark musdb18; leave it out"):
        evaluate_songs(options)


def test_songs_do_not_replace_the_evaluation_of_another_benchmark(tmp_path: Path) -> None:
    write_json(tmp_path / "results.json", {"format": FORMAT, "benchmark": "custom"})
    with pytest.raises(InputError, match="contains the evaluation of another benchmark; give another --output"):
        evaluate_songs(EvaluateOptions(benchmark=("musdb18",), output=tmp_path, data_root=tmp_path))
