"""Models by name (``metadata/models.yaml``) or in a folder: which base, encoder and adapters ``--model`` stands for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from dplass_cli.errors import InputError, check_choice
from dplass_cli.options.model_options import ModelSpec, Precision
from dplass_cli.options.parse import from_mapping, parse_yaml
from dplass_cli.resources import default_folder, resource
from dplass_cli.storage import read_text
from dplass_cli.weights.hub import fetch_from_hub, is_hub_address
from dplass_cli.weights.known_files import read_known_files

BASE, ENCODER, BANK = "base.safetensors", "encoder.safetensors", "bank"
"""What a folder given as ``--model`` contains; only the base is required."""


@dataclass(frozen=True)
class NamedModel:
    """A row of the table.

    Attributes:
        what: what it is.
        licence: of its weights.
        base: ``tiny``, or the checkpoint in the folder of fetched files.
        encoder: the encoder in that folder; None: that of the base.
        tokenizer: the folder of the tokenizer in that folder.
        adapters: banks, adapter folders or published files in that folder; None: the bundled ones with ``tiny``.
        precision: of the convolutions where none is asked for.
        fetch: the entries of known files that it consists of.
        note: remarks for the user.
        figures: what it was measured to reach, and on what.
    """

    what: str
    licence: str
    base: str
    encoder: str | None = None
    tokenizer: str | None = None
    adapters: tuple[str, ...] | None = None
    precision: Precision = "auto"
    fetch: tuple[str, ...] = ()
    note: str = ""
    figures: str = ""


@dataclass(frozen=True)
class ListedModel:
    """A named model as this machine has it.

    Attributes:
        name: its name.
        model: its row.
        size: bytes to fetch, about; 0 if it is bundled or nothing is known of their size.
        missing: files that are not there.
    """

    name: str
    model: NamedModel
    size: int
    missing: tuple[Path, ...]


def read_named_models() -> dict[str, NamedModel]:
    """The table of models: {name: row}."""
    path = resource("metadata/models.yaml")
    return {
        name: from_mapping(NamedModel, row, f"{path}: {name}")
        for name, row in parse_yaml(read_text(path), str(path)).items()
    }


def list_models() -> list[ListedModel]:
    """All named models, with the size of what has to be fetched and what is missing of it."""
    known = read_known_files()
    listed = []
    for name, model in read_named_models().items():
        size = sum(file.size or 0 for entry in model.fetch for file in known[entry].files)
        listed.append(ListedModel(name, model, size, tuple(path for path in _files(model) if not path.exists())))
    return listed


def entries_to_fetch(names: Iterable[str]) -> list[str]:
    """Replace the names of models by the entries of known files that they consist of; InputError for a bundled one."""
    models, entries = read_named_models(), list[str]()
    for name in names:
        if name in models and not models[name].fetch:
            raise InputError(f"{name}: is bundled, so there is nothing to fetch; leave it out")
        entries += models[name].fetch if name in models else (name,)
    return entries


def resolve_model(spec: ModelSpec) -> ModelSpec:
    """Replace the name of a model by what it stands for; parts and a precision that are given take precedence.

    The name may be a folder, or the address of a repository of the Hub, which is fetched.

    Raises:
        InputError: there is no such model or folder, it has not been fetched, or a base is given too.
        RunError: the Hub cannot be reached.
    """
    resolved = spec if spec.name is None else _named(spec, spec.name)
    if resolved.precision == "int8" and resolved.device == "auto":
        return replace(resolved, device="cpu")  # the only one that INT8 runs on
    return resolved


def _named(spec: ModelSpec, name: str) -> ModelSpec:
    if spec.base != "tiny":
        raise InputError(f"--model {name} and --base-checkpoint {spec.base}: exclude each other; give one of them")
    if is_hub_address(name):
        found = _of_folder(fetch_from_hub(name)[0], name)
    else:
        found = _of_folder(Path(name), name) if Path(name).is_dir() else _of_table(name)
    return replace(
        found,
        encoder=spec.encoder or found.encoder,
        tokenizer=spec.tokenizer or found.tokenizer,
        adapters=found.adapters if spec.adapters is None else spec.adapters,
        device=spec.device,
        precision=found.precision if spec.precision == "auto" else spec.precision,
        backend=spec.backend,
        trust=spec.trust,
    )


def _of_folder(folder: Path, name: str) -> ModelSpec:
    if not (folder / BASE).is_file():
        raise InputError(f"--model {name}: contains no {BASE}; give a folder with {BASE}, {ENCODER} and {BANK}/")
    encoder, bank = folder / ENCODER, folder / BANK
    return ModelSpec(
        base=folder / BASE,
        encoder=encoder if encoder.is_file() else None,
        adapters=(bank,) if bank.is_dir() else None,
    )


def _of_table(name: str) -> ModelSpec:
    table = read_named_models()
    check_choice("--model", name, [*table, "a folder", "hf:owner/name"])
    model = table[name]
    if missing := [path for path in _files(model) if not path.exists()]:
        size = next(listed.size for listed in list_models() if listed.name == name)
        about = f" (about {size / 1e9:.2g} GB in all)" if size else ""
        raise InputError(f"--model {name}: {missing[0]} is missing; fetch it{about}: dplass weights fetch {name}")
    if not model.fetch:
        return ModelSpec(base=model.base, adapters=model.adapters, precision=model.precision)
    folder = default_folder().expanduser()
    return ModelSpec(
        base=folder / model.base,
        encoder=folder / model.encoder if model.encoder else None,
        tokenizer=folder / model.tokenizer if model.tokenizer else None,
        adapters=tuple(folder / path for path in model.adapters) if model.adapters else None,
        precision=model.precision,
    )


def _files(model: NamedModel) -> Iterable[Path]:
    """The files and folders that a fetched model needs."""
    if not model.fetch:
        return []
    folder = default_folder().expanduser()
    named = (model.base, model.encoder, model.tokenizer, *(model.adapters or ()))
    return [folder / path for path in named if path]
