"""evaluate over a small bank: policies, benchmarks, resuming, sharing among processes, unreadable files."""

from __future__ import annotations

import csv
import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from fake_hub import FakeHub
from small_banks import write_small_bank

from dplass_cli.audio.reading import read_mono
from dplass_cli.audio.writing import write_audio
from dplass_cli.errors import InputError, RunError
from dplass_cli.evaluation.comparison import compare_runs, read_run
from dplass_cli.evaluation.evaluation_run import EvaluateResult
from dplass_cli.evaluation.metrics import sdr, si_sdr
from dplass_cli.models import load_base
from dplass_cli.options.adapters_options import AdaptersPushOptions
from dplass_cli.options.evaluate_options import EvaluateOptions
from dplass_cli.pipelines.adapters import push_adapters
from dplass_cli.pipelines.evaluate import evaluate, pinned
from dplass_cli.records import write_rows
from dplass_cli.separation.loading import load_models

NAMES = ("dog_bark", "rain", "siren", "flute", "owl_hoot", "helicopter")
EVERY = ("base", "text", "text-knn", "audio", "blend", "single:1", "oracle")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_small_bank(tmp_path_factory.mktemp("bank"))


@pytest.fixture(scope="module")
def mixtures(clips: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mixture table with ten rows."""
    rows = [
        {
            "idx": number,
            "caption": NAMES[number % 6].replace("_", " "),
            "src_wav": clips[NAMES[number % 6]],
            "noise_wav": clips[NAMES[(number + 1 + number // 6) % 6]],
            "snr_db": 3 * (number % 3) - 3,
        }
        for number in range(10)
    ]
    path = tmp_path_factory.mktemp("table") / "mixtures.csv"
    write_rows(path, list(rows[0]), rows)
    return path


@pytest.fixture
def options(models: tuple[Path, Path], mixtures: Path, tmp_path: Path) -> EvaluateOptions:
    base, bank = models
    return EvaluateOptions(
        output=tmp_path / "evaluation",
        metadata_csv=mixtures,
        base_checkpoint=str(base),
        encoder="tiny",
        adapters=(str(bank),),
        select=EVERY,
        batch_size=3,
        device="cpu",
    )


def run(options: EvaluateOptions) -> EvaluateResult:
    (result,) = evaluate(options).values()
    return result


def items(folder: Path) -> list[dict[str, str]]:
    with open(folder / "items.csv", newline="") as stream:
        next(stream)
        return list(csv.DictReader(stream))


def untimed(folder: Path) -> str:
    """results.json without the timing, the only thing that may differ."""
    content = json.loads((folder / "results.json").read_text())
    del content["timing"]
    return json.dumps(content)


def test_oracle_is_an_upper_bound_of_policies_that_choose_an_adapter(options: EvaluateOptions) -> None:
    scores = run(options).scores
    assert list(scores.policies) == list(EVERY)
    oracle = scores.policies["oracle"]
    assert oracle.bound
    assert (oracle.n, oracle.regret, oracle.accuracy) == (10, 0.0, 1.0)
    of_item = {(row["idx"], row["adapter"]): float(row["sdri"]) + float(row["si_sdr"]) for row in items(options.output)}
    for name in ("text", "text-knn", "audio", "single:1"):
        score = scores.policies[name]
        assert score.sdri + score.si_sdr <= oracle.sdri + oracle.si_sdr + 1e-9
        for idx, key in scores.chosen[name].items():
            assert of_item[idx, key] <= of_item[idx, scores.chosen["oracle"][idx]]
    assert len({tuple(chosen.values()) for chosen in scores.chosen.values()}) > 3  # policies differ
    base = scores.policies["base"]
    assert (base.difference, base.difference_ci, base.accuracy) == (0.0, (0.0, 0.0), None)
    for score in scores.policies.values():
        assert score.sdri_ci[0] <= score.sdri <= score.sdri_ci[1]
    text = scores.policies["text"]
    assert text.difference == pytest.approx(text.sdri - base.sdri)
    assert text.regret == pytest.approx(oracle.sdri - text.sdri)
    assert sum(text.choices.values()) == 10
    assert sum(count for row in scores.confusion["audio"].values() for count in row.values()) == 10
    assert sum(domain.n for domain in scores.domains.values()) == 10
    assert scores.classes["rain"].n == 2
    table = (options.output / "results.md").read_text()
    assert "| oracle (best adapter) |" in table


def test_scores_equal_those_of_a_separation_by_hand(options: EvaluateOptions) -> None:
    """One item, separated and scored by hand under the base, an adapter and the blend."""
    result = run(replace(options, items=("4",)))
    rows = {row["adapter"]: row for row in items(options.output)}
    assert list(rows) == ["base", "domain0", "domain1", "domain2", "blend"]
    models = load_models(replace(options.model, encoder="tiny"))
    from dplass_cli.data.mixture_tables import read_mixtures, render

    assert options.metadata_csv is not None
    mixture, reference = render(read_mixtures(options.metadata_csv)[4], 32000, 5.0)
    query = models.encoder.embed_text(["owl hoot"])
    from dplass_cli.separation.policies import Choice, DomainTexts, make_policy

    blend = make_policy("blend").choose(Choice(query[0], models.bank, DomainTexts(models.bank, models.encoder)))
    assert isinstance(blend, dict)
    assert sum(blend.values()) == pytest.approx(1.0)
    for name, activation in {"base": None, "domain1": "domain1", "blend": blend}.items():
        models.bank.activate(activation)
        with torch.inference_mode():
            estimate = models.network(torch.from_numpy(mixture)[None, None], query)[0, 0]
        row = rows[name]
        assert float(row["sdri"]) == pytest.approx(sdr(reference, estimate.numpy()) - sdr(reference, mixture), abs=1e-3)
        assert float(row["si_sdr"]) == pytest.approx(si_sdr(reference, estimate.numpy()), abs=1e-3)
        heard = models.encoder.embed_audio(estimate[None], 32000)[0]
        assert float(row["similarity"]) == pytest.approx(float(heard @ query[0]), abs=1e-4)
        level = 10 * np.log10(np.mean(np.square(estimate.numpy())) / np.mean(np.square(mixture)))
        assert float(row["level_db"]) == pytest.approx(level, abs=1e-3)
    assert result.scores.chosen["text-knn"] == {"4": "domain0"}


def test_the_precision_of_a_named_model_is_recorded(options: EvaluateOptions) -> None:
    recorded = pinned(replace(options, base_checkpoint="tiny", adapters=None, model_name="tiny-fast"))
    assert (recorded.precision, recorded.device, recorded.model_name) == ("int8", "cpu", "tiny-fast")


def test_a_bank_from_the_hub_gives_the_same_scores(
    hub: FakeHub, options: EvaluateOptions, models: tuple[Path, Path], tmp_path: Path
) -> None:
    options = replace(options, items=("1", "4"), select=("base", "text"))
    run(options)
    shared = push_adapters(AdaptersPushOptions(models[1], "hf:me/bank", evaluation=options.output, licence="mit"))
    card = hub.commits["me/bank"][-1]["README.md"].decode()
    assert (options.output / "results.md").read_text().strip() in card
    pulled = replace(options, adapters=("hf:me/bank",), output=tmp_path / "pulled")
    run(pulled)
    own, pulled_rows = ([{**row, "seconds": ""} for row in items(one.output)] for one in (options, pulled))
    assert pulled_rows == own
    assert json.loads((pulled.output / "results.json").read_text())["options"]["adapters"] == [shared.address]


def test_figures_of_another_base_are_not_shared(options: EvaluateOptions, hub: FakeHub) -> None:
    run(replace(options, items=("1",), select=("base",)))
    with pytest.raises(InputError, match=r"--evaluation .*: is of another base \(\w{12}…\) than the adapters"):
        push_adapters(AdaptersPushOptions(Path("tiny"), "hf:me/bank", evaluation=options.output))
    assert hub.commits == {}


def test_figures_of_other_adapters_are_not_shared(
    hub: FakeHub, options: EvaluateOptions, models: tuple[Path, Path]
) -> None:
    run(replace(options, items=("1",), select=("base",)))
    with pytest.raises(InputError, match=r"--evaluation .*: is of other adapters; evaluate these ones"):
        push_adapters(AdaptersPushOptions(models[1] / "domain0", "hf:me/bank", evaluation=options.output))
    assert hub.commits == {}


def test_policies_that_choose_by_text_run_one_adapter_per_item(options: EvaluateOptions) -> None:
    result = run(replace(options, select=("text",)))
    assert len(items(options.output)) == 10
    score = result.scores.policies["text"]
    assert (score.regret, score.accuracy, score.difference) == (None, None, None)
    more = run(replace(options, select=("base", "text", "oracle")))  # resumes: adapters are added, nothing is repeated
    assert len(items(options.output)) == 40
    assert more.scores.policies["text"].sdri == pytest.approx(score.sdri, abs=1e-4)


def test_adapters_without_domains_serve_policies_that_need_none(options: EvaluateOptions, tmp_path: Path) -> None:
    bank = Path(options.adapters[0])  # type: ignore[index]
    for name in ("domain0", "domain1"):
        shutil.copytree(bank / name, tmp_path / "adapters" / name)
    given = replace(options, adapters=(str(tmp_path / "adapters"),), select=None, limit=2)
    assert list(run(given).scores.policies) == ["base", "audio", "base+residual", "oracle"]
    assert list(run(replace(given, similarity=False, output=tmp_path / "deaf")).scores.policies) == [
        *("base", "base+residual", "oracle")
    ]
    (tmp_path / "adapters" / "domain1").rename(tmp_path / "adapters" / "base+residual")
    with pytest.raises(InputError, match=r"an adapter is named 'base\+residual', like a policy; rename its folder"):
        run(replace(given, output=tmp_path / "named"))


def test_a_limited_run_is_continued_by_a_full_one(options: EvaluateOptions) -> None:
    assert run(replace(options, limit=4)).scores.policies["base"].n == 4
    before = {(row["idx"], row["adapter"]): row for row in items(options.output)}
    assert run(options).scores.policies["base"].n == 10
    after = {(row["idx"], row["adapter"]): row for row in items(options.output)}
    assert all(after[pair] == row for pair, row in before.items())  # seconds too: not computed again
    with pytest.raises(InputError, match="--items 12: no such item"):
        run(replace(options, items=("12",)))


def test_resuming_from_any_cut_gives_the_same_results(options: EvaluateOptions, tmp_path: Path) -> None:
    run(options)
    whole, expected = (options.output / "items.csv").read_bytes(), untimed(options.output)
    cutter = random.Random(0)
    head = whole.index(b"\n", whole.index(b"\n") + 1) + 1
    for trial in range(2):
        again = replace(options, output=tmp_path / f"cut{trial}")
        again.output.mkdir()
        (again.output / "items.csv").write_bytes(whole[: cutter.randrange(head, len(whole))])
        run(again)
        assert untimed(again.output) == expected


@pytest.mark.parametrize(
    "order", [(0, 1), pytest.param((1, 0), marks=pytest.mark.slow), pytest.param((1, 2, 0), marks=pytest.mark.slow)]
)
def test_processes_share_the_items_and_merge_exactly(
    options: EvaluateOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: tuple[int, ...]
) -> None:
    run(options)
    shared = replace(options, output=tmp_path / "shared")
    monkeypatch.setenv("WORLD_SIZE", str(len(order)))
    monkeypatch.setenv("LOCAL_RANK", "0")
    complete = []
    for rank in order:
        monkeypatch.setenv("RANK", str(rank))
        complete.append(run(shared).complete)
    assert complete == [False] * (len(order) - 1) + [True]
    assert untimed(shared.output) == untimed(options.output)
    parts = list((shared.output / "parts").glob("items-*.csv"))
    assert len(parts) == len(order)
    rows = [line for part in parts for line in part.read_text().splitlines()[2:]]
    assert sorted(rows) == sorted((shared.output / "items.csv").read_text().splitlines()[2:])
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    seen: list[str] = []
    evaluate(shared, lambda done, total, what: seen.append(f"{what} {done}"))
    assert "items 0" not in seen  # everything was known


def test_backends_give_the_same_scores(options: EvaluateOptions, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    in_torch = run(replace(options, backend="torch", output=tmp_path / "torch"))
    compiled = run(replace(options, backend="openvino", output=tmp_path / "openvino"))
    for name, score in in_torch.scores.policies.items():
        assert compiled.scores.policies[name].sdri == pytest.approx(score.sdri, abs=1e-3)


def test_another_evaluation_in_the_folder_is_not_overwritten(options: EvaluateOptions) -> None:
    run(replace(options, limit=1))
    before = (options.output / "items.csv").read_bytes()
    with pytest.raises(InputError, match="contains an evaluation of other models, items or settings"):
        run(replace(options, limit=1, adapters=(f"{options.adapters[0]}/domain0",), select=("base",)))  # type: ignore[index]
    assert (options.output / "items.csv").read_bytes() == before


def test_another_evaluation_in_parts_is_not_overwritten(
    options: EvaluateOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("RANK", "0")
    assert not run(replace(options, select=("base",))).complete
    (part,) = (options.output / "parts").iterdir()
    before = part.read_bytes()
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        with pytest.raises(InputError, match="contains an evaluation of other models, items or settings"):
            run(replace(options, select=("base",), similarity=False))
    assert part.read_bytes() == before
    assert list((options.output / "parts").iterdir()) == [part]


def test_scores_of_replaced_audio_are_computed_again(
    options: EvaluateOptions, clips: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(path: Path) -> str:
        raise RunError(f"{path}: cannot be read (Stale file handle)")

    audio = tmp_path / "audio"
    audio.mkdir()
    for name in NAMES:
        shutil.copy(clips[name], audio / f"{name}.wav")
    rows = [
        {"idx": idx, "caption": name, "src_wav": f"{name}.wav", "noise_wav": f"{other}.wav", "snr_db": 0}
        for idx, (name, other) in enumerate([("dog_bark", "rain"), ("siren", "flute"), ("owl_hoot", "helicopter")])
    ]
    write_rows(tmp_path / "table.csv", list(rows[0]), rows)
    given = replace(options, metadata_csv=tmp_path / "table.csv", audio_dir=audio, select=("base",), batch_size=1)
    run(given)
    before = items(given.output)
    shutil.copy(clips["helicopter"], audio / "flute.wav")
    more = replace(given, select=("base", "oracle"))
    run(more)
    after = [row for row in items(given.output) if row["adapter"] == "base"]
    assert [row == old for row, old in zip(after, before, strict=True)] == [True, False, True]  # seconds too
    run(replace(more, output=tmp_path / "anew"))
    with monkeypatch.context() as patched:  # a file that cannot be read at the moment counts as unchanged
        patched.setattr("dplass_cli.shards.shard_store.file_sha256", unreadable)
        assert run(replace(more, report=False)).complete
    assert untimed(given.output) == untimed(tmp_path / "anew")


def test_other_mixtures_of_the_same_files_are_not_compared(options: EvaluateOptions, tmp_path: Path) -> None:
    with open(options.metadata_csv, newline="") as stream:  # type: ignore[arg-type]
        rows = list(csv.DictReader(stream))[:3]
    folders = []
    for name, changed in {"one": {}, "louder": {"snr_db": 20}, "later": {"src_start": 0.5}}.items():
        write_rows(tmp_path / f"{name}.csv", list(rows[0] | changed), [row | changed for row in rows])
        folders.append(tmp_path / name)
        run(replace(options, metadata_csv=tmp_path / f"{name}.csv", output=folders[-1], select=("base",)))
    one, *others = (read_run(folder) for folder in folders)
    assert compare_runs([one, one])[0].n == 3
    for other in others:
        with pytest.raises(InputError, match="have no item with the same audio in common"):
            compare_runs([one, other])


def test_scores_of_another_audio_folder_are_not_reused(
    options: EvaluateOptions, clips: dict[str, Path], tmp_path: Path
) -> None:
    rows = [{"idx": 0, "caption": "a dog", "src_wav": "a.wav", "noise_wav": "b.wav", "snr_db": 0}]
    write_rows(tmp_path / "table.csv", list(rows[0]), rows)
    for folder, target in (("one", "dog_bark"), ("other", "siren")):
        (tmp_path / folder).mkdir()
        shutil.copy(clips[target], tmp_path / folder / "a.wav")
        shutil.copy(clips["rain"], tmp_path / folder / "b.wav")
    given = replace(options, metadata_csv=tmp_path / "table.csv", select=("base",), audio_dir=tmp_path / "one")
    run(given)
    with pytest.raises(InputError, match="contains an evaluation of other models, items or settings"):
        run(replace(given, audio_dir=tmp_path / "other"))
    for folder in ("one", "other"):
        shutil.copy(tmp_path / "table.csv", tmp_path / folder)
    beside = replace(given, audio_dir=None, output=tmp_path / "beside")
    run(replace(beside, metadata_csv=tmp_path / "one" / "table.csv"))
    with pytest.raises(InputError, match="contains an evaluation of other models, items or settings"):
        run(replace(beside, metadata_csv=tmp_path / "other" / "table.csv"))


def test_unusable_files_are_listed_and_too_many_are_refused(
    options: EvaluateOptions, clips: dict[str, Path], tmp_path: Path
) -> None:
    audio = tmp_path / "audio"
    audio.mkdir()
    rows = []
    for number, name in enumerate(NAMES):
        shutil.copy(clips[name], audio / f"{name}.wav")
        rows.append({"idx": number, "caption": name, "src_wav": f"{name}.wav", "noise_wav": "rain.wav", "snr_db": 0})
    write_rows(tmp_path / "table.csv", list(rows[0]), rows)
    (audio / "siren.wav").unlink()
    damaged = audio / "flute.wav"
    sound, rate = soundfile.read(damaged, dtype="float32")
    sound[1000] = np.nan
    soundfile.write(damaged, sound, rate, subtype="FLOAT")
    given = replace(options, metadata_csv=tmp_path / "table.csv", audio_dir=audio, select=("base",), max_missing=0.4)
    result = run(given)
    assert list(result.unusable) == ["2", "3"]
    assert "siren.wav: no such audio file" in result.unusable["2"]
    assert "flute.wav: contains NaN or infinite samples" in result.unusable["3"]
    assert result.scores.policies["base"].n == 4
    assert json.loads((given.output / "results.json").read_text())["unusable"] == result.unusable
    with pytest.raises(InputError, match=r"1 of 6 items have no usable audio, more than --max-missing 0.1 allows"):
        run(replace(given, max_missing=0.1))
    shutil.copy(clips["flute"], damaged)  # repaired, it is tried again
    assert list(run(given).unusable) == ["2"]


def test_a_silent_reference_is_listed_separately(
    options: EvaluateOptions, clips: dict[str, Path], tmp_path: Path
) -> None:
    write_audio(tmp_path / "silence.wav", np.zeros((1, 160000), dtype=np.float32), 32000, "PCM_16")
    names = {"0": clips["rain"], "1": tmp_path / "silence.wav", "2": clips["siren"]}
    rows = [
        {"idx": idx, "caption": "rain", "src_wav": path, "noise_wav": clips["dog_bark"], "snr_db": 0}
        for idx, path in names.items()
    ]
    write_rows(tmp_path / "table.csv", list(rows[0]), rows)
    scores = run(replace(options, metadata_csv=tmp_path / "table.csv")).scores
    assert scores.silent == ["1"]
    base = scores.policies["base"]
    assert base.n == 2
    (row,) = [row for row in items(options.output) if (row["idx"], row["adapter"]) == ("1", "base")]
    assert (row["sdri"], row["si_sdr"]) == ("", "")
    assert base.silent_level_db == pytest.approx(float(row["level_db"]))


# The six benchmarks: names and columns as published, audio from clips, figures by hand.


def fake(name: str, root: Path, clips: dict[str, Path]) -> list[tuple[str, Path, Path, str]]:
    """Write a small benchmark: its table and audio. Returns (query, reference, mixture, class) of each item."""
    folder = root / {"esc50": "ESC50", "music": "MUSIC", "vggsound": "VGGSound"}.get(name, name)
    folder = folder.with_name(f"{folder.name}_evaluation")
    sounds = list(clips.values())
    made = []
    rows = []

    def write(number: int, reference: Path, mixture: Path) -> None:
        source, noise = (read_mono(sounds[i % 8], 32000)[: 32000 + 640 * (number % 3)] for i in (number, number + 3))
        write_audio(folder / reference, source[None], 32000, "FLOAT")
        write_audio(folder / mixture, (source + (0.3 + 0.2 * number) * noise)[None], 32000, "FLOAT")

    for number in range(7):
        caption = ("violin", "tuba", "flute, wooden")[number % 3 if number < 5 else 0]
        if name == "audioset":
            k = ("violin", "tuba", "flute, wooden").index(caption)
            take = sum(row["caption"] == caption for row in rows)
            stem = f"class_id={k}/class_id={k},index={take:03d}"
            reference, mixture = Path(f"{stem},source.wav"), Path(f"{stem},mixture.wav")
            rows.append({"idx": k, "caption": caption, "src_wav": f"evaluation/data/{reference}", "noise_wav": "x"})
        elif name == "vggsound":
            reference, mixture = Path(f"data/s0_wav/-a+{number}.wav"), Path(f"data/mix_wav/-a+{number}.wav")
            rows.append(
                {
                    "file_id": f"-a+{number}",
                    "mix_wav": str(mixture),
                    "s0_wav": str(reference),
                    "s0_text": caption,
                    "s1_wav": "x",
                    "s1_text": "y",
                }
            )
        else:
            reference, mixture = Path(f"segment-{number}.wav"), Path(f"mixture-{number}.wav")
            extra = {"labels": "Music Violin"} if name == "audiocaps" else {}
            rows.append({"idx": number, "caption": caption, **extra, "src_wav": "x.wav", "noise_wav": "y.wav"})
        write(number, reference, mixture)
        made.append((caption, folder / reference, folder / mixture, caption))
    table = folder / f"{name}_eval.csv"
    write_rows(table, list(rows[0]), rows)
    if name == "clotho":  # two columns of one name, as published
        lines = table.read_text().replace("noise_wav", "noise_wav1,noise_wav1").replace(",y.wav", ",y.wav,z.wav")
        table.write_text(lines.replace("\n", "\r\n"))
    return made


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def by_class(values: list[float], classes: list[str], inner: Callable[[list[float]], Any]) -> float:
    return mean(
        [float(inner([v for v, c in zip(values, classes, strict=True) if c == k])) for k in sorted(set(classes))]
    )


@pytest.mark.parametrize("name", ["audioset", "audiocaps", "clotho", "esc50", "vggsound", "music"])
def test_each_benchmark_gives_the_numbers_computed_by_hand(
    options: EvaluateOptions, recordings: dict[str, Path], tmp_path: Path, name: str
) -> None:
    made = fake(name, tmp_path / "data", recordings)
    network = load_base(options.base_checkpoint)
    encoder = load_models(replace(options.model, encoder="tiny", adapters=None)).encoder
    sdris, si_sdrs = [], []
    for query, reference, mixture, _ in made:
        source, mixed = (soundfile.read(path, dtype="float32")[0] for path in (reference, mixture))
        with torch.inference_mode():
            estimate = network(torch.from_numpy(mixed)[None, None], encoder.embed_text([query]))[0, 0].numpy()
        sdris.append(sdr(source, estimate) - sdr(source, mixed))
        si_sdrs.append(si_sdr(source, estimate))
    classes = [made_class for *_, made_class in made]
    rule: Callable[[list[float]], float] = {
        "audioset": lambda values: by_class(values, classes, np.median),
        "music": lambda values: by_class(values, classes, mean),
    }.get(name, mean)
    given = replace(
        options, benchmark=(name,), metadata_csv=None, data_root=tmp_path / "data", select=("base", "oracle")
    )
    base = run(given).scores.policies["base"]
    assert base.n == 7
    assert base.sdri == pytest.approx(rule(sdris), abs=2e-3)
    assert base.si_sdr == pytest.approx(rule(si_sdrs), abs=2e-3)
    results = json.loads((given.output / "results.json").read_text())
    assert results["published"][0]["system"] == "AudioSep"
    assert "AudioSep, published" in (given.output / "results.md").read_text()


def test_several_benchmarks_run_in_one_command(
    options: EvaluateOptions, clips: dict[str, Path], tmp_path: Path
) -> None:
    for name in ("esc50", "audiocaps"):
        fake(name, tmp_path / "data", clips)
    given = replace(
        options, benchmark=("esc50", "audiocaps"), metadata_csv=None, data_root=tmp_path / "data", select=("base",)
    )
    results = evaluate(given)
    assert list(results) == ["esc50", "audiocaps"]
    assert (given.output / "esc50" / "results.json").is_file()
    asked = replace(given, benchmark=("audiocaps",), query_column="labels", output=tmp_path / "labels")
    run(asked)
    assert {row["query"] for row in items(tmp_path / "labels")} == {"Music Violin"}
    with pytest.raises(InputError, match="no folder Clotho_evaluation"):
        evaluate(replace(given, benchmark=("clotho",)))
    with pytest.raises(InputError, match=r"--metadata-csv .*: a table is for one --benchmark"):
        replace(given, metadata_csv=next((tmp_path / "data").rglob("*.csv")))


COMMAND = [sys.executable, "-m", "dplass_cli", "evaluate", "--json", "--no-report", "--device", "cpu"]


def arguments(options: EvaluateOptions, output: Path) -> list[str]:
    assert options.adapters is not None
    return [
        *COMMAND,
        *("--metadata-csv", str(options.metadata_csv), "--base-checkpoint", options.base_checkpoint),
        *("--encoder", "tiny", "--adapters", options.adapters[0], "--select", ",".join(EVERY)),
        *("--batch-size", "1", "--output", str(output)),
    ]


@pytest.mark.slow
def test_repeated_kills_do_not_change_the_results(options: EvaluateOptions, tmp_path: Path) -> None:
    """SIGKILL at random moments of one run, each a few rows after the previous one, until it finishes."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    subprocess.run(arguments(options, whole), check=True, capture_output=True)
    moment = random.Random(1)
    kills = 0
    while True:
        enough = _lines(cut) + moment.randint(1, 8)
        running = subprocess.Popen(arguments(options, cut), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while running.poll() is None and _lines(cut) < enough:
            time.sleep(0.01)
        time.sleep(moment.uniform(0.0, 0.1))
        if running.poll() is not None:
            assert running.returncode == 0
            break
        running.kill()
        running.wait()
        kills += 1
    assert kills >= 5
    assert untimed(cut) == untimed(whole)


def _lines(folder: Path) -> int:
    path = folder / "items.csv"
    return path.read_bytes().count(b"\n") if path.is_file() else 0


@pytest.mark.slow
def test_two_concurrent_processes_give_the_results_of_one(options: EvaluateOptions, tmp_path: Path) -> None:
    subprocess.run(arguments(options, tmp_path / "one"), check=True, capture_output=True)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    shared = [*launcher, *arguments(options, tmp_path / "two")[2:]]
    subprocess.run(shared, check=True, capture_output=True)
    assert untimed(tmp_path / "two") == untimed(tmp_path / "one")
    rows = [path.read_text().splitlines()[2:] for path in sorted((tmp_path / "two" / "parts").iterdir())]
    assert len(rows) == 2
    assert len(rows[0]) + len(rows[1]) == 50
