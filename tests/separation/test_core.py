"""The separation core: evaluations and files come from the same code, and non-finite output is an error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from small_banks import CONFIG, write_small_bank
from typer.testing import CliRunner

from dplass_cli import Separator, sounds
from dplass_cli.audio.reading import LARGEST_SAMPLE
from dplass_cli.audio.writing import write_audio
from dplass_cli.cli import app
from dplass_cli.evaluation.conditions import Condition
from dplass_cli.evaluation.evaluator import EvaluatorSettings, plan_runs, separate_item
from dplass_cli.evaluation.items import Item, Loaded, Recorded
from dplass_cli.models import load_base, save_base
from dplass_cli.options.model_options import ModelSpec
from dplass_cli.separation.core import NonFiniteOutput, OutputEmbedding, Request, SeparationCore
from dplass_cli.separation.loading import Models, load_models
from dplass_cli.separation.policies import chooses_by_query, make_policy

RATE = 32000
QUERY = "a dog barking"
SETTINGS = EvaluatorSettings(seconds=None, batch_size=1, workers=1, bfloat16=False, similarity=True, bss=False)


@pytest.fixture(scope="module")
def models() -> Models:
    return load_models(ModelSpec(backend="torch"))


@pytest.fixture
def core(models: Models) -> SeparationCore:
    return SeparationCore(models.bank, batch_size=4)


def mixture(seconds: float) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    dog, rain = (sounds.render(name, 11, seconds, RATE) for name in ("dog_bark", "rain"))
    return dog + rain, dog


def conditions() -> list[Condition]:
    policies = [make_policy(name) for name in ("base", "text", "text-knn:3", "validated", "audio", "blend", "single:2")]
    return [
        *(Condition(policy) for policy in policies),
        *(Condition(policy, refine=True) for policy in policies if chooses_by_query(policy)),
    ]


@pytest.mark.parametrize("seconds", [4.0, 17.0])  # one window, and three of which one has others on both sides
@pytest.mark.parametrize("condition", conditions(), ids=lambda condition: condition.name)
def test_evaluate_and_separate_give_the_same_signal(models: Models, condition: Condition, seconds: float) -> None:
    audio, dog = mixture(seconds)
    separator = Separator(
        models.bank, models.encoder, condition.policy, refine="residual" if condition.refine else "none"
    )
    separated = separator(audio[None], RATE, [QUERY])[QUERY][0]
    item = Item("0", QUERY, "", Recorded(Path("reference.wav"), Path("mixture.wav")))
    run = next(iter(plan_runs([item], [condition], models)[item.idx].values()))
    if not chooses_by_query(condition.policy):
        run = adapter_by_outputs(models, audio, condition, seconds)
    evaluated = separate_item(item, Loaded(audio, dog, ""), run, models, SETTINGS)
    error = np.square(evaluated - separated).mean() / np.square(separated).mean()
    assert 10 * np.log10(max(error, 1e-30)) < -80.0


def adapter_by_outputs(models: Models, audio: np.ndarray, condition: Condition, seconds: float):  # type: ignore[type-arg,no-untyped-def]
    """The run of the adapter that the evaluation takes, from the similarities that it records."""
    from dplass_cli.evaluation.evaluator import ItemRun, PreparedItems
    from dplass_cli.separation.policies import Choice

    item = Item("0", QUERY, "", Recorded(Path("reference.wav"), Path("mixture.wav")))
    with torch.inference_mode():
        prepared = PreparedItems([item], [Loaded(audio, audio, "")], models, SETTINGS)
        found = {key: prepared.separate([ItemRun(key)])[1] for key in models.bank.keys}
    similarities = {key: values[0] for key, values in found.items() if values}
    query = models.encoder.embed_text([QUERY])[0]
    return ItemRun(condition.policy.choose(Choice(query, models.bank, models.texts, similarities)))


def test_a_request_does_not_depend_on_its_batch(core: SeparationCore, models: Models) -> None:
    generator = torch.Generator().manual_seed(0)
    mixtures = 0.1 * torch.randn(3, 1, 20000, generator=generator)
    queries = models.encoder.embed_text(["a dog", "rain", "a siren"])
    requests = [
        Request(query, key, row) for row, key in ((2, "domain1"), (0, None), (1, "domain1")) for query in queries
    ]
    together = core.separate(core.prepare(mixtures), requests)
    for request, output in zip(requests, together, strict=True):
        alone = core.separate(
            core.prepare(mixtures[request.mixture][None]), [Request(request.condition, request.activation)]
        )
        torch.testing.assert_close(output, alone[0], atol=2e-6, rtol=0)


@pytest.mark.parametrize("shared_mask", [True, False])
def test_channels_of_different_mixtures_are_not_mixed_up(models: Models, shared_mask: bool) -> None:
    core = SeparationCore(models.bank, shared_mask, batch_size=4)
    mixtures = 0.1 * torch.randn(2, 2, 9000, generator=torch.Generator().manual_seed(0))
    query = models.encoder.embed_text(["rain"])[0]
    both = core.separate(core.prepare(mixtures), [Request(query, None, 1), Request(query, None, 0)])
    assert both.shape == (2, 2, 9000)
    for row, output in zip((1, 0), both, strict=True):
        torch.testing.assert_close(output, core.separate(core.prepare(mixtures[[row]]), [Request(query, None)])[0])


def test_the_active_adapter_runs_first(core: SeparationCore, models: Models) -> None:
    merged: list[object] = []
    activate = models.bank.activate
    query = models.encoder.embed_text(["rain"])[0]
    prepared = core.prepare(torch.zeros(1, 1, 5000))
    models.bank.activate("domain2")
    models.bank.activate = lambda which: merged.append(which) or activate(which)  # type: ignore[method-assign,func-returns-value]
    try:
        core.separate(prepared, [Request(query, "domain1"), Request(query, "domain2"), Request(query, "domain1")])
    finally:
        models.bank.activate = activate  # type: ignore[method-assign]
    assert merged == ["domain1"]


def test_similarity_is_weighted_by_the_windows_contributions(models: Models) -> None:
    dog, rain = (torch.from_numpy(sounds.render(name, 3, 2.0, RATE))[None, None] for name in ("dog_bark", "rain"))
    query = models.encoder.embed_text([QUERY])

    def similarity(weight: int) -> float:
        embedding = OutputEmbedding(models.encoder, RATE)
        embedding.add(dog, weight)
        embedding.add(rain, 1000)
        return embedding.similarities(query)[0]

    assert similarity(9000) > similarity(1000) > similarity(100)


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], list[str]]:
    """Options that name a base whose activations overflow, and the folder of its recordings."""
    folder = tmp_path_factory.mktemp("broken")
    base, _ = write_small_bank(folder)
    network = load_base(base)
    network.base.pre_conv.weight.data.fill_(3e38)  # finite weights whose products overflow
    save_base(folder / "overflowing.safetensors", network, network.encoder_fingerprint)
    write_audio(folder / "mix.wav", mixture(2.0)[0][None], CONFIG.sample_rate)
    write_audio(folder / "dog.wav", mixture(2.0)[1][None], CONFIG.sample_rate)
    (folder / "table.csv").write_text(
        "idx,caption,src_wav,noise_wav,snr_db\n7,a dog barking,dog.wav,mix.wav,0\n", encoding="utf-8"
    )
    return lambda: ["--base-checkpoint", str(folder / "overflowing.safetensors"), "--encoder", "tiny", str(folder)]


def test_a_nan_in_the_output_is_an_error_that_leaves_nothing(broken: Callable[[], list[str]], tmp_path: Path) -> None:
    *models, folder = broken()
    recording = str(Path(folder) / "mix.wav")
    done = CliRunner().invoke(app, ["separate", recording, "-q", "a dog", "-o", str(tmp_path / "out"), *models])
    assert done.exit_code == 1
    assert f"dplass: {recording}: the base model produced samples that are NaN or infinite" in done.stderr
    assert not list((tmp_path / "out").glob("*"))


def test_a_nan_in_an_evaluation_names_the_item(broken: Callable[[], list[str]], tmp_path: Path) -> None:
    *models, folder = broken()
    table = str(Path(folder) / "table.csv")
    done = CliRunner().invoke(app, ["evaluate", "--metadata-csv", table, "-o", str(tmp_path / "eval"), *models])
    assert done.exit_code == 1
    assert "item 7: the base model produced samples that are NaN or infinite" in done.stderr
    assert not (tmp_path / "eval" / "results.json").exists()


def test_samples_that_would_overflow_are_refused(tmp_path: Path) -> None:
    loud = np.full((1, 32000), 3e38, np.float32) * np.sign(np.sin(np.arange(32000)))[None].astype(np.float32)
    write_audio(tmp_path / "loud.wav", loud, RATE, "FLOAT")
    done = CliRunner().invoke(
        app, ["separate", str(tmp_path / "loud.wav"), "-q", "a dog", "--residual", "-o", str(tmp_path / "out")]
    )
    assert done.exit_code == 2
    assert "loud.wav: contains samples of 3e+38" in done.stderr
    assert not list((tmp_path / "out").glob("*"))


@pytest.mark.parametrize("options", [["--residual"], ["--residual", "--clip", "scale"], ["--silence-if-absent", "0.5"]])
def test_the_loudest_samples_that_are_accepted_give_finite_outputs(tmp_path: Path, options: list[str]) -> None:
    loud = LARGEST_SAMPLE * np.sign(np.sin(np.arange(32000, dtype=np.float32)))[None]
    write_audio(tmp_path / "loud.wav", loud, RATE, "FLOAT")
    given = ["separate", str(tmp_path / "loud.wav"), "-q", "a dog", *options, "-o", str(tmp_path / "out")]
    assert CliRunner().invoke(app, given).exit_code == 0
    for path in (tmp_path / "out").iterdir():
        assert np.isfinite(soundfile.read(path)[0]).all()


def test_the_error_names_the_mixture_and_the_adapter(core: SeparationCore, models: Models) -> None:
    mixtures = torch.zeros(2, 1, 5000)
    mixtures[1, 0, 100] = float("inf")
    query = models.encoder.embed_text(["rain"])[0]
    with pytest.raises(NonFiniteOutput, match="adapter 'domain1' produced") as raised:
        core.separate(core.prepare(mixtures), [Request(query, "domain1", 0), Request(query, "domain1", 1)])
    assert (raised.value.mixture, raised.value.activation) == (1, "domain1")


def test_a_file_equals_the_array(tmp_path: Path) -> None:
    separator = Separator.from_pretrained(policy="text", device="cpu", backend="torch")
    audio = mixture(3.0)[0][None]
    write_audio(tmp_path / "m.wav", audio, RATE, "FLOAT")
    (written,) = separator.separate_file(tmp_path / "m.wav", [QUERY], tmp_path)
    expected = separator(audio, RATE, [QUERY])[QUERY]
    np.testing.assert_array_equal(soundfile.read(str(written.path), dtype="float32")[0], expected[0])
