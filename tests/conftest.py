"""Fixtures shared by all tests."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from browsing import wait_for
from hypothesis import settings
from systems import missing_privilege

from dplass_cli.audio.writing import write_audio
from dplass_cli.sounds import render

if TYPE_CHECKING:
    from fake_hub import FakeHub

settings.register_profile("dplass", deadline=None)  # a busy machine is not a failure
settings.load_profile("dplass")

GOLDEN = Path(__file__).parent / "golden"

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


def _skipping_refused_links() -> Generator[None, Any, Any]:
    """Skip a test that may not create a symbolic link, as on Windows outside of developer mode."""
    try:
        return (yield)
    except OSError as error:
        if reason := missing_privilege(error):
            pytest.skip(reason)
        raise


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, Any, Any]:
    return (yield from _skipping_refused_links())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, Any, Any]:
    return (yield from _skipping_refused_links())


@pytest.fixture(scope="session", autouse=True)
def float32_on_every_cpu() -> Iterator[None]:
    """Make ``--precision auto`` mean float32 on every CPU, so that expected numbers do not depend on the machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cpu, "get_capabilities", dict, raising=False)
        yield


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real clips that lies beside a development checkout; tests that need it are skipped elsewhere."""
    if not (SHARED_DATA / "clips.csv").is_file():
        pytest.skip("the real clips (../shared/data) are not beside this checkout")
    return SHARED_DATA


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small base, a partition of six captions into three domains, and a table of mixtures; not to be changed."""
    import small_corpus

    return small_corpus.build(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """The fake Hub, with an empty cache; its client reads the settings when it is imported, so they are replaced."""
    from fake_hub import running_hub
    from huggingface_hub import constants, file_download

    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("HF_TOKEN", "hf_right")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with running_hub() as running:
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, running.url)
        for module in (constants, file_download):  # the latter has a copy before version 1
            monkeypatch.setattr(module, "HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)
        monkeypatch.setattr(constants, "ENDPOINT", running.url)
        yield running


@pytest.fixture(scope="session")
def golden_network() -> dict[str, Any]:
    """Inputs and outputs of the published network under the formula's weights."""
    with np.load(GOLDEN / "resunet30_io.npz") as archive:
        return dict(archive)


@pytest.fixture(scope="session")
def network_layout() -> dict[str, Any]:
    """Keys and shapes of the published network."""
    layout: dict[str, Any] = json.loads((GOLDEN / "resunet30_layout.json").read_text())
    return layout


@pytest.fixture(scope="session")
def published_state(network_layout: dict[str, Any]) -> dict[str, npt.NDArray[np.float32]]:
    """A state dict of the published layout under the formula, without the transform kernels."""
    import weights_fill

    shapes = {entry["key"]: entry["shape"] for entry in network_layout["entries"] if entry["dtype"] == "float32"}
    filled: dict[str, npt.NDArray[np.float32]] = weights_fill.fill(shapes, set(network_layout["transposed_conv_keys"]))
    return filled


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A few built-in sounds as 32 kHz files: {class name: path}."""
    folder = tmp_path_factory.mktemp("clips")
    paths = {}
    for name in ("dog_bark", "rain", "siren", "flute", "clock_tick", "helicopter", "owl_hoot", "typing"):
        paths[name] = folder / f"{name}.wav"
        write_audio(paths[name], render(name, 3000, 5.0, 32000)[None], 32000, "PCM_16")
    return paths


@pytest.fixture(scope="session")
def recordings(clips: dict[str, Path]) -> dict[str, Path]:
    """Eight real clips where they lie beside the checkout, else the built-in sounds: {name: path}."""
    real = sorted((SHARED_DATA / "audio").glob("4-*-A-*.ogg"))[::6][:8]
    return {path.stem: path for path in real} if len(real) == 8 else clips


def _not_loaded(request: Any) -> list[str]:
    """A complaint of a request that failed; of a sound that is not played, browsers leave off after its beginning."""
    left_off = request.resource_type == "media" and request.failure == "net::ERR_ABORTED"
    return [] if left_off else [f"not loaded: {request.url[:80]}"]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Callable[..., tuple[Any, list[str]]]]:
    """Open a page in headless Chromium: (file or address, width, height) -> (page, what it complains of)."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="bash scripts/setup_browser.sh installs it")
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("no chromium; bash scripts/setup_browser.sh installs it")
    with sync_api.sync_playwright() as driver:
        microphone = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]  # one that beeps
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox", *microphone])

        def open_page(where: Path | str, width: int = 1280, height: int = 900) -> tuple[Any, list[str]]:
            page = browser.new_page(viewport={"width": width, "height": height})
            errors: list[str] = []
            page.on("console", lambda said: errors.append(said.text) if said.type in ("error", "warning") else None)
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("requestfailed", lambda request: errors.extend(_not_loaded(request)))
            page.goto(where.as_uri() if isinstance(where, Path) else where)
            wait_for(page, "[...document.querySelectorAll('audio[src]')].every(a => a.readyState > 0 || a.error)")
            return page, errors

        yield open_page
        browser.close()
