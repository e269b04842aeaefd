"""Options are declared once, at their fields; what is derived from that."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import pytest
from command_lines import verbs

from dplass_cli.errors import InputError
from dplass_cli.options.common_options import CommonOptions
from dplass_cli.options.data_settings import DataSettings
from dplass_cli.options.declaration import Options, argument, option, option_fields, resume_rules, section, setting
from dplass_cli.options.network_settings import ResUNet30Config
from dplass_cli.options.train_options import TrainOptions
from dplass_cli.options.train_settings import TrainSettings

ALL_OPTIONS = {command.options: words for words, command in verbs()} | {CommonOptions: ("every", "verb")}


@dataclass(frozen=True)
class Inner:
    speed: float = option(1.5, "How fast.", resume="longer")
    hidden: int = setting(3, "No flag.", resume="free")


@dataclass(frozen=True, kw_only=True)
class Base:
    device: str = option("auto", "Where.")


@dataclass(frozen=True, kw_only=True)
class Outer(Base):
    source: Path = argument("SOURCE", "What to read.")
    loud: bool = option(True, "How loud.", "--loud/--quiet", also="-l")
    inner: Inner = section(Inner, "Inside.", flags=True)
    other: Inner = section(Inner, "Inside, without flags.")


def field(options: type, key: str) -> Any:
    return next(each for each in option_fields(options) if each.key == key)


def test_own_options_come_before_inherited_ones_and_sections_before_their_options() -> None:
    keys = [each.key for each in option_fields(Outer)]
    inner, other = ("inner", "inner.speed", "inner.hidden"), ("other", "other.speed", "other.hidden")
    assert keys == ["source", "loud", *inner, *other, "device"]


def test_only_options_with_a_flag_or_a_place_are_on_the_command_line() -> None:
    shown = [each.key for each in option_fields(Outer) if each.on_command_line]
    assert shown == ["source", "loud", "inner.speed", "device"]


def test_an_option_without_a_default_is_required() -> None:
    assert [each.key for each in option_fields(Outer) if each.required] == ["source"]
    with pytest.raises(TypeError, match="source"):
        Outer()  # mypy sees a default


def test_errors_call_an_option_by_its_flag_argument_or_key() -> None:
    spellings = {each.key: each.spelling for each in option_fields(Outer)}
    assert spellings["source"] == "SOURCE"
    assert spellings["loud"] == "--loud"
    assert spellings["inner.speed"] == "--speed"
    assert spellings["other.speed"] == "other.speed"


@dataclass(frozen=True)
class Bounded(Options):
    share: float = option(0.5, "A share.", above=0, most=1)
    size: int = setting(2, "From 1 to 4.", least=1, most=4)
    count: int = setting(1, "A number.", least=0, expected="at least 1, or 0 for all")
    ranks: int | dict[str, int] = setting(4, "One rank, or some.", least=1)
    kind: Literal["a", "b"] | None = setting(None, "A word.")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"share": 0.0}, r"share 0\.0: must be at most 1 and above 0"),
        ({"share": float("nan")}, "share nan: must be at most 1 and above 0"),
        ({"size": 5}, "size 5: must be from 1 to 4"),
        ({"count": -1}, "count -1: must be at least 1, or 0 for all"),
        ({"ranks": 0}, "ranks 0: must be at least 1"),
        ({"ranks": {"conv": 2, "film": 0}}, "ranks .*: must be at least 1"),
        ({"kind": "c"}, "kind c: must be one of a, b"),
    ],
)
def test_a_value_outside_of_what_is_declared_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Bounded(**given)


def test_values_at_the_declared_bounds_are_accepted() -> None:
    assert Bounded(share=1.0, ranks={"conv": 1}, kind="a").share == 1.0


def test_resume_rules_are_those_that_the_fields_declare() -> None:
    assert resume_rules(Outer(source=Path("x"))) == {
        "device": "fixed",
        "source": "fixed",
        "loud": "fixed",
        **{f"{name}.speed": "longer" for name in ("inner", "other")},
        **{f"{name}.hidden": "free" for name in ("inner", "other")},
    }


def test_a_resumed_training_may_change_how_it_runs_and_how_long() -> None:
    rules = resume_rules(TrainOptions(partition=Path("p"), workspace=Path("w")))
    free = {key for key, rule in rules.items() if rule == "free"}
    assert free == {
        *("resume", "workspace", "trust_checkpoint", "cache", "device", "num_gpus", "num_nodes", "strategy"),
        *("parallel", "dry_run", "fast_dev_run", "data.max_bad_files", "train.num_workers", "train.save_top_k"),
        *("train.save_step_frequency", "train.examples", "train.wandb_project"),
    }
    longer = {key for key, rule in rules.items() if rule == "longer"}
    epochs = ("train.max_epochs", "train.min_epochs", "train.max_steps", "train.patience")
    assert longer == {"domain", *epochs}
    assert rules["train.optimizer.learning_rate"] == rules["adapter.rank"] == "fixed"


def test_a_mapping_is_one_option_of_a_run_and_an_optional_section_several() -> None:
    options = TrainOptions(partition=Path("p"), workspace=Path("w"), train=TrainSettings(loss_type={"l1_wav": 1.0}))
    rules = resume_rules(options)
    assert rules["train.loss_type"] == rules["network"] == "fixed"
    with_network = resume_rules(replace(options, network=ResUNet30Config()))
    assert "network" not in with_network
    assert with_network["network.channels"] == "fixed"


@pytest.mark.parametrize("options", ALL_OPTIONS, ids=lambda options: options.__name__)
def test_every_option_has_a_help_text(options: type) -> None:
    declared = {each.key for each in option_fields(options)}
    assert declared >= {each.name for each in fields(options)}  # type: ignore[arg-type]
    for each in option_fields(options):
        text = each.declared.help
        assert text, each.key
        assert "[default" not in text, f"{each.key}: the default is shown by itself"
        assert text[-1] in ".…" or ": --" in text, f"{each.key}: {text}"  # a sentence, or it ends in an example


def test_sections_declare_all_of_their_fields() -> None:
    for settings in (DataSettings, TrainSettings, ResUNet30Config):
        declared = {each.key for each in option_fields(settings) if "." not in each.key}
        assert declared == {each.name for each in fields(settings)}  # type: ignore[arg-type]


@pytest.mark.parametrize("options", ALL_OPTIONS, ids=lambda options: options.__name__)
def test_no_two_options_of_a_verb_share_a_flag(options: type) -> None:
    spelled = [
        flag for each in option_fields(options) if each.on_command_line for flag in (*each.flags, *each.declared.hidden)
    ]
    assert len(spelled) == len(set(spelled))


def test_options_import_no_heavy_library() -> None:
    code = (
        "import importlib, pkgutil, sys, dplass_cli.options as package\n"
        "for module in pkgutil.iter_modules(package.__path__):\n"
        "    importlib.import_module(f'dplass_cli.options.{module.name}')\n"
        "heavy = {'torch', 'numpy', 'pandas', 'scipy', 'sklearn', 'soundfile', 'lightning', 'transformers', 'tqdm'}\n"
        "found = heavy & {name.partition('.')[0] for name in sys.modules}\n"
        "assert not found, found\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
