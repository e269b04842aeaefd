"""What is to remain of a run, disturbed or not: whole files, equal ones, and all that was finished."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any

_UNSTEADY = ("logs", "tf_logs", "checkpoints")  # of training: what the clock says, and states that go on changing
_UNSTEADY_KEYS = {"seconds", "created", "time", "timing", "items_per_s", "loader_wait"}


def fingerprints(folder: Path) -> dict[str, str]:
    """{path: hash} of the files that are a verb's result, without what only the clock says."""
    found = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(part.startswith(".") or part in _UNSTEADY for part in parts):
            found["/".join(parts)] = hashlib.sha256(_content(path)).hexdigest()
    return found


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix == ".safetensors":  # the library writes the members of its metadata in any order
        size = 8 + int.from_bytes(content[:8], "little")
        return json.dumps(json.loads(content[8:size]), sort_keys=True).encode() + content[size:]
    if path.name in ("keys.bin", "vectors.f32"):  # of embeddings; two runs may both add what neither knew, in any order
        size = 48 if path.name == "keys.bin" else 4 * json.loads(path.with_name("cache.json").read_text())["size"]
        return b"".join(sorted({content[at : at + size] for at in range(0, len(content), size)}))
    if path.name == "rows.npy":  # where in such an array each embedding lies: what counts is what lies there
        return _rows(path)
    if path.suffix == ".json":
        return json.dumps(_steady(json.loads(content))).encode()
    if path.suffix == ".csv":
        rows = list(csv.reader(io.StringIO(content.decode(), newline="")))
        head = next((row for row in rows if _UNSTEADY_KEYS & set(row)), [])
        places = [number for number, name in enumerate(head) if name not in _UNSTEADY_KEYS]
        kept = [[row[at] for at in places] if head and len(row) == len(head) else row for row in rows]
        return json.dumps(kept).encode()
    return content


def _rows(path: Path) -> bytes:
    import numpy as np

    (vectors,) = path.parent.rglob("vectors.f32")
    size = json.loads(vectors.with_name("cache.json").read_text())["size"]
    return np.fromfile(vectors, np.float32).reshape(-1, size)[np.load(path)].tobytes()


def _steady(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _steady(item) for key, item in value.items() if key not in _UNSTEADY_KEYS}
    return [_steady(item) for item in value] if isinstance(value, list) else value


def half_written(folder: Path) -> list[str]:
    """The files under their own names that cannot be read as what they are."""
    wrong = []
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden:
            try:
                _read(path)
            except Exception as error:
                wrong.append(f"{path.name} is half-written: {error!r:.200}")
    return wrong


def _read(path: Path) -> None:
    import onnx
    import soundfile
    import torch
    import yaml
    from safetensors import safe_open

    if path.suffix == ".json":
        json.loads(path.read_text())
    elif path.suffix == ".safetensors":
        with safe_open(path, framework="pt") as archive:
            assert list(archive.keys())
    elif path.suffix in (".wav", ".flac"):
        samples, _ = soundfile.read(path)
        assert len(samples) == soundfile.info(path).frames > 0
    elif path.suffix in (".ckpt", ".pt"):
        torch.load(path, weights_only=True)
    elif path.suffix == ".yaml":
        assert yaml.safe_load(path.read_text()) is not None  # {} says that there is nothing to say
    elif path.suffix == ".onnx":
        onnx.load(path)
    elif path.suffix == ".html":
        assert path.read_text().rstrip().endswith("</html>")
    elif path.suffix in (".xml", ".md", ".csv", ".png", ".svg"):
        assert path.stat().st_size > 0


def kept(before: Path, folder: Path) -> list[str]:
    """What was finished before and is not there any more: rows of records, embeddings."""
    wrong = []
    for path in before.rglob("*"):
        now = folder / path.relative_to(before)
        if path.name == "items.csv":
            rows = path.read_text().splitlines(keepends=True)
            lost = {row for row in rows if row.endswith("\n")} - set(now.read_text().splitlines(keepends=True))
            wrong += [f"{len(lost)} rows were lost"] if lost else []
        elif path.name == "keys.bin":
            whole = path.read_bytes()[: path.stat().st_size // 48 * 48]
            wrong += [] if now.read_bytes().startswith(whole) else ["embeddings were lost"]
    return wrong
