"""Checks of what a run leaves behind: complete files, the expected content, and no lost records."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any

_VARYING_FOLDERS = ("logs", "tf_logs", "checkpoints")  # of training: contain times, and states of other steps
_VARYING_KEYS = {"seconds", "created", "time", "timing", "items_per_s", "loader_wait"}


def fingerprints(folder: Path) -> dict[str, str]:
    """{path: sha256} of the files of a verb's result; times are left out."""
    hashes = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(part.startswith(".") or part in _VARYING_FOLDERS for part in parts):
            hashes["/".join(parts)] = hashlib.sha256(_comparable_content(path)).hexdigest()
    return hashes


def _comparable_content(path: Path) -> bytes:
    """The content of a file, without times, and in an order that does not depend on chance."""
    content = path.read_bytes()
    if path.suffix == ".safetensors":  # safetensors writes its metadata in arbitrary order
        size = 8 + int.from_bytes(content[:8], "little")
        return json.dumps(json.loads(content[8:size]), sort_keys=True).encode() + content[size:]
    if path.name in ("keys.bin", "vectors.f32"):  # of embeddings; concurrent runs add entries in arbitrary order
        size = 48 if path.name == "keys.bin" else 4 * json.loads(path.with_name("cache.json").read_text())["size"]
        return b"".join(sorted({content[at : at + size] for at in range(0, len(content), size)}))
    if path.name == "rows.npy":  # positions of embeddings in vectors.f32: compare the embeddings
        return _embeddings_at(path)
    if path.suffix == ".json":
        return json.dumps(_without_times(json.loads(content))).encode()
    if path.suffix == ".csv":
        rows = list(csv.reader(io.StringIO(content.decode(), newline="")))
        header = next((row for row in rows if _VARYING_KEYS & set(row)), [])
        columns = [number for number, name in enumerate(header) if name not in _VARYING_KEYS]
        comparable = [[row[at] for at in columns] if header and len(row) == len(header) else row for row in rows]
        return json.dumps(comparable).encode()
    return content


def _embeddings_at(path: Path) -> bytes:
    import numpy as np
    import numpy.typing as npt

    (vectors,) = path.parent.rglob("vectors.f32")
    size = json.loads(vectors.with_name("cache.json").read_text())["size"]
    rows: npt.NDArray[np.int64] = np.load(path)
    return np.fromfile(vectors, np.float32).reshape(-1, size)[rows].tobytes()


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_times(item) for key, item in value.items() if key not in _VARYING_KEYS}
    return [_without_times(item) for item in value] if isinstance(value, list) else value


def truncated_files(folder: Path) -> list[str]:
    """The files under their final names that cannot be read, and why."""
    failures = []
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden:
            try:
                _read(path)
            except Exception as error:
                failures.append(f"{path.name} cannot be read: {error!r:.200}")
    return failures


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
        assert yaml.safe_load(path.read_text()) is not None  # an empty mapping is valid, an empty file is not
    elif path.suffix == ".onnx":
        onnx.load(path)
    elif path.suffix == ".html":
        assert path.read_text().rstrip().endswith("</html>")
    elif path.suffix in (".xml", ".md", ".csv", ".png", ".svg"):
        assert path.stat().st_size > 0


def lost_records(before: Path, folder: Path) -> list[str]:
    """Records that existed before and are missing now: rows of evaluations, embeddings."""
    failures = []
    for path in before.rglob("*"):
        now = folder / path.relative_to(before)
        if path.name == "items.csv":
            rows = path.read_text().splitlines(keepends=True)
            lost = {row for row in rows if row.endswith("\n")} - set(now.read_text().splitlines(keepends=True))
            failures += [f"{len(lost)} rows were lost"] if lost else []
        elif path.name == "keys.bin":
            whole = path.read_bytes()[: path.stat().st_size // 48 * 48]
            failures += [] if now.read_bytes().startswith(whole) else ["embeddings were lost"]
    return failures
