"""OpenVINO's runtime: compiling and running its models.

Importing OpenVINO sends telemetry; the part that does (``openvino.tools.ovc``, for model conversion) is not imported.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


def compile_graph(model: Any, precision: str) -> Callable[[list[npt.NDArray[np.float32]]], Tensor]:
    """Compile an OpenVINO model for torch's number of threads: a function from its inputs to its first output.

    The output is valid until the next call.

    Args:
        model: an ``openvino.Model``.
        precision: ``f32`` or ``bf16``, of what is not quantised.
    """
    settings = {
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,  # other processes may use the cores too
    }
    request = openvino_core().compile_model(model, "CPU", settings).create_infer_request()
    return lambda inputs: torch.from_numpy(request.infer(inputs, share_inputs=True)[0])


def openvino_module() -> ModuleType:
    """Import OpenVINO without its conversion tools, which send telemetry when imported."""
    telemetry = "openvino.tools.ovc"
    if "openvino" not in sys.modules and telemetry not in sys.modules:
        sys.modules[telemetry] = None  # type: ignore[assignment]  # makes its import fail, which OpenVINO ignores
        try:
            importlib.import_module("openvino")
        finally:
            del sys.modules[telemetry]
    return importlib.import_module("openvino")


@functools.cache
def openvino_core() -> Any:
    """The only OpenVINO runtime object of this process.

    Each object replaces the calling thread's signal stack and frees it when destroyed. If two are destroyed in the
    order of their creation, the freed stack of the first is restored, and the next signal (Ctrl-C) is a segmentation
    fault (OpenVINO 2026.4, ``src/plugins/intel_cpu/src/plugin.cpp``, ``SigAltStackSetup``).
    """
    return openvino_module().Core()


@contextlib.contextmanager
def shared_core() -> Iterator[None]:
    """Make libraries that create runtime objects of their own, such as NNCF, use that of this process."""
    module: Any = openvino_module()
    core, own = openvino_core(), (module.Core, module.compile_model)

    def compile_model(model: Any, device_name: str = "AUTO", config: dict[str, Any] | None = None) -> Any:
        return core.compile_model(model, device_name, config or {})

    module.Core, module.compile_model = lambda: core, compile_model  # OpenVINO's function makes an object per call
    try:
        yield
    finally:
        module.Core, module.compile_model = own
