"""The notebooks and apps in ``examples/`` run as they are."""

from __future__ import annotations

import ast
import importlib.util
import io
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import soundfile

from dplass_cli.errors import DplassError
from dplass_cli.sounds import render

EXAMPLES = Path(__file__).parents[1] / "examples"


def executed(name: str) -> list[Any]:
    """Execute a notebook's cells in one namespace, as Jupyter does, and return the values that they show."""
    cells = json.loads((EXAMPLES / name).read_text(encoding="utf-8"))["cells"]
    namespace: dict[str, Any] = {"__name__": "__main__"}
    shown = []
    for cell in cells:
        if cell["cell_type"] != "code":
            continue
        assert cell["outputs"] == []  # notebooks are kept without outputs
        body = ast.parse("".join(cell["source"])).body
        last = ast.Expression(body.pop().value) if isinstance(body[-1], ast.Expr) else None  # type: ignore[attr-defined]
        exec(compile(ast.Module(body, []), name, "exec"), namespace)
        if last is not None:
            shown.append(eval(compile(last, name, "eval"), namespace))
    return shown


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    mixture = render("dog_bark", 0, 1.0, 32000) + render("rain", 0, 1.0, 32000)
    soundfile.write(tmp_path / "mix.wav", 0.5 * mixture, 32000)
    return tmp_path / "mix.wav"


def test_the_notebook_on_separating_plays_its_targets(capsys: pytest.CaptureFixture[str]) -> None:
    shown = executed("separate_and_listen.ipynb")
    pages = [value._repr_html_() for value in shown if hasattr(value, "_repr_html_")]
    assert [page.count("<audio") for page in pages] == [4, 1]  # recording, two targets, residual; and the file
    printed = capsys.readouterr().out
    assert float(printed.partition("SDR improvement: ")[2].split()[0]) > 3.0


@pytest.mark.slow
def test_the_notebook_on_training_trains_two_adapters() -> None:
    *_, trained, separated = executed("train_on_your_folder.ipynb")
    assert [path.name for path in sorted(trained.output.glob("domain*"))] == ["domain0", "domain1"]
    assert separated._repr_html_().count("<audio") == 3


@pytest.mark.slow
def test_the_notebook_on_evaluating_compares_with_the_upper_bound(capsys: pytest.CaptureFixture[str]) -> None:
    executed("evaluate_honestly.ipynb")
    printed = capsys.readouterr().out
    assert "| oracle" in printed
    assert "the oracle gains +" in printed


def test_the_demo_separates_a_wish_and_refuses_what_it_does_not_know(recording: Path) -> None:
    demo = module("gradio_app")
    target, residual, served = demo.separate(str(recording), "remove the rain")
    mixture = soundfile.read(recording, dtype="float32")[0]
    parts = [soundfile.read(path, dtype="float32")[0] for path in (target, residual)]
    np.testing.assert_allclose(sum(parts), mixture, atol=1e-3)
    assert served.startswith("adapter ")
    with pytest.raises(DplassError, match="qwrtz"):
        demo.separate(str(recording), "qwrtz")
    with pytest.raises(DplassError, match="drop a recording"):
        demo.separate(None, "rain")


def test_the_service_answers_with_the_target(recording: Path) -> None:
    pytest.importorskip("fastapi")
    from starlette.testclient import TestClient

    client = TestClient(module("fastapi_app").app)
    assert any("rain" in kinds for kinds in client.get("/sounds").json().values())
    answer = client.post("/separate", params={"query": "a dog barking"}, content=recording.read_bytes())
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/wav")
    assert soundfile.info(io.BytesIO(answer.content)).frames == 32000
    refused = client.post("/separate", params={"query": "a dog barking"}, content=b"no audio")
    assert refused.status_code == 422
    assert "not a readable audio file" in refused.json()["detail"]
