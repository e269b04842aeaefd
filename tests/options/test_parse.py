"""Options from defaults, YAML, --set and flags; every mistake is named."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import pytest

from dplass_cli.adapters.injection import layer_settings
from dplass_cli.errors import InputError
from dplass_cli.models.resunet30 import ResUNet30
from dplass_cli.options.adapter_settings import AdapterSettings
from dplass_cli.options.declaration import check_field, option
from dplass_cli.options.network_settings import ResUNet30Config
from dplass_cli.options.parse import build_options, from_mapping, to_mapping
from dplass_cli.options.train_options import TrainOptions


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5
    kind: Literal["a", "b"] = "a"
    sizes: tuple[int, ...] = (1, 2)

    def __post_init__(self) -> None:
        check_field(self, "rate", self.rate >= 0, "at least 0")


@dataclass(frozen=True)
class More:
    folder: Path
    size: int = 1


@dataclass(frozen=True)
class Outer:
    path: Path
    count: int = 3
    name: str | None = None
    loud: bool = False
    pair: tuple[int, int] = (0, 0)
    weights: dict[str, float] = field(default_factory=dict)
    inner: Inner = field(default_factory=Inner)
    more: More | None = None
    top: int = option(1, "A flag.", also="-t")

    def __post_init__(self) -> None:
        check_field(self, "top", self.top >= 1, "at least 1")


def yaml(folder: Path, text: str) -> Path:
    path = folder / "options.yaml"
    path.write_text(text)
    return path


def test_later_sources_win_field_by_field(tmp_path: Path) -> None:
    config = yaml(tmp_path, "path: a\ncount: 4\ninner:\n  rate: 1e-4\n  kind: b\n")
    options = build_options(Outer, config, ["count=5", "inner.kind=a"], {"count": 6, "name": None})
    assert options == Outer(Path("a"), 6, inner=Inner(rate=1e-4))
    assert build_options(Outer, config, ["count=5"]).count == 5
    assert build_options(Outer, config).inner == Inner(1e-4, "b")
    assert build_options(Outer, None, (), {"path": "x"}) == Outer(Path("x"))
    assert build_options(Outer, yaml(tmp_path, ""), ["path=x"]) == Outer(Path("x"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("conut: 3", "unknown option 'conut'; did you mean 'count'"),
        ("Count: 3", "unknown option 'Count'; did you mean 'count'"),
        ("rate: 3", "unknown option 'rate'; did you mean 'inner.rate'"),
        ("inner: {rate: .nan}", "options.yaml: inner.rate nan: must be a finite number"),
        ("inner: {rate: 1e999}", "options.yaml: inner.rate inf: must be a finite number"),
        ("inner: {rat: 3}", "unknown option 'inner.rat'; did you mean 'inner.rate'?"),
        ("count: many", "options.yaml: count many: must be a whole number"),
        ("count: true", "count True: must be a whole number"),
        ("loud: 1", "loud 1: must be true or false"),
        ("inner: 3", "inner 3: must be a section of options"),
        ("inner: {kind: c}", "inner.kind c: must be one of a, b"),
        ("inner: {rate: x}", "inner.rate x: must be a number"),
        ("pair: [1]", "pair [1]: must be a list of 2 values"),
        ("weights: {a: x}", "weights.a x: must be a number"),
        ("inner: {sizes: [1, x]}", "inner.sizes x: must be a whole number"),
        ("inner: {rate: -1}", "options.yaml: inner.rate -1.0: must be at least 0"),
        ("more: {sise: 1}", "unknown option 'more.sise'; did you mean 'more.size'?"),
        ("more: {size: x}", "more.size x: must be a whole number"),
        ("a: [", "not valid YAML in line"),
        ("- 1", "expected options as 'key: value' lines"),
    ],
)
def test_mistakes_in_yaml_are_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InputError) as error:
        build_options(Outer, yaml(tmp_path, text), ["path=x"])
    assert str(error.value).startswith(str(tmp_path / "options.yaml"))
    assert says in str(error.value)


def test_mistakes_elsewhere_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--set 'nonsense': expected key"):
        build_options(Outer, None, ["nonsense"])
    with pytest.raises(InputError, match=r"--set innr.rate=1: unknown option 'innr.rate'; did you mean 'inner'"):
        build_options(Outer, None, ["innr.rate=1"])
    with pytest.raises(InputError, match="--path is not given"):
        build_options(Outer)
    with pytest.raises(InputError, match=r"^--set inner.rate=-1.0: must be at least 0$"):
        build_options(Outer, None, ["path=x", "inner.rate=-1"])
    with pytest.raises(InputError, match="no such file"):
        build_options(Outer, tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("train.optimzer", "unknown option 'train.optimzer'; did you mean 'train.optimizer'?"),
        (
            "train.optimizer.schedul",
            "unknown option 'train.optimizer.schedul'; did you mean 'train.optimizer.schedule'?",
        ),
        ("train.lr", "unknown option 'train.lr'; did you mean 'train.optimizer.learning_rate'?"),
        ("lr", "unknown option 'lr'; did you mean 'train.optimizer.learning_rate'?"),
        ("adapter.rnk", "unknown option 'adapter.rnk'; did you mean 'adapter.rank'?"),
        ("adaptr.rank", "unknown option 'adaptr.rank'; did you mean 'adapter'?"),
        ("network.chanels", "unknown option 'network.chanels'; did you mean 'network.channels'?"),
        ("train.max_epochs.x", "train.max_epochs.x: train.max_epochs has no options inside; leave out the rest"),
    ],
)
def test_a_suggestion_is_the_whole_path_wherever_the_key_is_given(tmp_path: Path, key: str, says: str) -> None:
    with pytest.raises(InputError) as error:
        build_options(TrainOptions, None, [f"{key}=1"])
    assert str(error.value) == f"--set {key}=1: {says}"
    with pytest.raises(InputError) as error:
        build_options(TrainOptions, None, [], {key: 1})  # as a sweep does
    assert str(error.value) == says


def test_a_section_that_is_off_is_set_option_by_option(tmp_path: Path) -> None:
    config = yaml(tmp_path, "path: x\nmore: {folder: a}")
    assert build_options(Outer, config, ["more.size=2"]).more == More(Path("a"), 2)
    with pytest.raises(InputError, match=r"options\.yaml: 'more\.folder' is missing"):
        build_options(Outer, yaml(tmp_path, "path: x\nmore: {size: 2}"))


@pytest.mark.parametrize(
    ("settings", "flags", "says"),
    [
        ([], {}, "FILE: top 0: must be at least 1"),
        (["top=-1"], {}, "--set top=-1: must be at least 1"),
        (["top=-1"], {"top": -2, "name": None}, "--top -2: must be at least 1"),
        ([], {"top": "two"}, "--top two: must be a whole number"),
    ],
)
def test_a_value_that_is_refused_is_named_as_it_was_given(
    tmp_path: Path, settings: list[str], flags: dict[str, object], says: str
) -> None:
    config = yaml(tmp_path, "path: x\ntop: 0\n")
    with pytest.raises(InputError) as error:
        build_options(Outer, config, settings, flags)
    assert str(error.value) == says.replace("FILE", str(config))


@pytest.mark.parametrize(
    "options",
    [
        TrainOptions(partition=Path("p"), workspace=Path("w"), domain="0,3"),
        ResUNet30Config(stem=(2, 4)),
        Outer(Path("p"), weights={"a": 1}),
    ],
)
def test_options_survive_a_round_trip(options: object) -> None:
    assert from_mapping(type(options), to_mapping(options), "here") == options


@pytest.mark.parametrize("name", ["tiny", "reconv", "lora", "dora", "conv-adapter"])
def test_shipped_configurations_are_valid(name: str) -> None:
    config = Path(__file__).parents[2] / "configs" / f"{name}.yaml"
    options = build_options(TrainOptions, config, (), {"partition": "p", "workspace": "w"})
    if name != "tiny":  # the published settings are the defaults
        network = ResUNet30(ResUNet30Config(channels=(4,) * 6, pre_channels=4))
        assert layer_settings(network, options.adapter) == layer_settings(network, AdapterSettings(name))
    if name == "reconv":
        assert replace(options, adapter=AdapterSettings()) == TrainOptions(partition=Path("p"), workspace=Path("w"))


@pytest.mark.parametrize(
    "text",
    [
        "a: &a {x: *a}",
        "a: &a0 [1, 1]\n" + "".join(f"b{n}: &a{n + 1} [*a{n}, *a{n}]\n" for n in range(24)),
        "a: &a0 {x: 1}\n" + "".join(f"b{n}: &a{n + 1} {{<<: [*a{n}, *a{n}]}}\n" for n in range(24)),
        "a: !!timestamp x",
        "a: !!int ''",
        "a: 2001-99-99",
        "[" * 5000,
        "a: !!python/object/apply:os.system [false]",
    ],
    ids=["itself", "doubling", "merging", "no time", "no number", "no date", "deep", "code"],
)  # fmt: skip
def test_yaml_that_is_made_to_harm(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(InputError, match=r"not valid YAML|aliases"):
        build_options(TrainOptions, tmp_path / "a.yaml")


def test_a_number_of_any_length_gives_a_short_message() -> None:
    with pytest.raises(InputError, match="at most 308 digits") as error:
        from_mapping(Inner, {"rate": 10**400}, "here")
    assert len(str(error.value)) < 200
    with pytest.raises(InputError, match="of 40000 bits: must be one of a, b"):
        from_mapping(Inner, {"kind": 1 << 39_999}, "here")


@pytest.mark.parametrize("value", ["''", '"a\\0b"'])
def test_a_path_that_cannot_be_one_is_named(tmp_path: Path, value: str) -> None:
    with pytest.raises(InputError, match=r"options\.yaml: path .*: (the path is empty|a path cannot contain)"):
        build_options(Outer, yaml(tmp_path, f"path: {value}\n"))
    with pytest.raises(InputError, match=r"--set path="):
        build_options(Outer, None, [f"path={value}"])
