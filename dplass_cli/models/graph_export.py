"""Writing a network as one graph, waveform in and waveform out, for ONNX Runtime or OpenVINO."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dplass_cli.models.base import BaseModel
from dplass_cli.models.openvino import openvino_core, openvino_module
from dplass_cli.models.quantization import (
    Infer,
    QuantizationExamples,
    ignored_scope,
    nncf_module,
    quantize,
    spectrogram_layers,
)
from dplass_cli.storage import make_folder, remove_file, write_bytes, writing_to


def export_graph(
    network: BaseModel,
    output: Path,
    metadata: Mapping[str, str],
    examples: QuantizationExamples | None = None,
) -> list[Path]:
    """Write a network, with its adapter active, as a graph: ``mixture`` and ``condition`` in, ``target`` out.

    Args:
        network: the network.
        output: ends in ``.onnx`` (which stores the metadata), or in ``.xml`` for OpenVINO, whose weights go to
            ``.bin``.
        metadata: of the ONNX file.
        examples: quantise the convolutions to INT8 on these mixtures; OpenVINO only.

    Returns:
        The written files, the graph first.
    """
    make_folder(output.parent)
    files = [output]
    with tempfile.TemporaryDirectory() as name, writing_to(output, only_disk_errors=True):
        graph = Path(name) / "graph.onnx"
        _write_onnx(network, metadata, graph)
        if output.suffix == ".xml":
            model = openvino_core().read_model(graph)
            if examples is not None:
                model = _quantized(model, examples)
            graph = graph.with_suffix(".xml")  # its weights are next to it
            openvino_module().save_model(model, graph, compress_to_fp16=False)
            files.append(output.with_suffix(".bin"))
            remove_file(output)  # the graph of an earlier export does not fit the new weights
        for file in reversed(files):  # the weights first, so that a graph that exists is complete
            write_bytes(file, graph.with_suffix(file.suffix).read_bytes())
    return files


def _quantized(model: Any, examples: QuantizationExamples) -> Any:
    """A graph whose layers on spectrograms are in INT8; transforms, masks and layers on the query are in float32."""
    subgraph = nncf_module().Subgraph
    layers = [operation.get_friendly_name() for operation in spectrogram_layers(model)]
    before = subgraph(inputs=[model.input("mixture").node.get_friendly_name()], outputs=[layers[0]])
    after = subgraph(inputs=[layers[-1]], outputs=[result.get_friendly_name() for result in model.get_results()])
    feeds = [[examples.mixtures[[n]].numpy(), examples.conditions[[n]].numpy()] for n in range(len(examples))]

    def separate(infer: Infer) -> Tensor:
        return torch.cat([infer(feeds[n]).clone() for n in examples.validating])

    calibrating = [feeds[n] for n in examples.calibrating]
    return quantize(model, calibrating, separate, ignored_scope(model, [before, after]))


def _write_onnx(network: BaseModel, metadata: Mapping[str, str], path: Path) -> None:
    config = network.config
    example = torch.zeros(2, config.audio_channels, 4 * config.n_fft), torch.zeros(2, config.condition_size)
    any_size = torch.export.Dim.DYNAMIC
    with torch.no_grad():
        program = torch.onnx.export(
            OnnxWrapper(network).eval(),
            example,
            dynamo=True,
            verbose=False,
            input_names=["mixture", "condition"],
            output_names=["target"],
            dynamic_shapes={"mixture": {0: any_size, 2: any_size}, "condition": {0: any_size}},
        )
    assert program is not None
    program.model.metadata_props.update(metadata)
    program.save(path, external_data=False)


class OnnxWrapper(nn.Module):
    """The network (not copied, with its adapter active) in operations that every exchange format supports.

    It uses no complex numbers: both transforms are convolutions with the kernels of a windowed Fourier transform.
    """

    analysis: Tensor
    synthesis: Tensor
    squares: Tensor

    def __init__(self, network: BaseModel) -> None:
        super().__init__()
        self.network, self.n_fft, self.hop = network, network.config.n_fft, network.config.hop
        window = network.stft.window.double().cpu()
        bins, samples = torch.arange(self.n_fft // 2 + 1), torch.arange(self.n_fft)
        # Reduced modulo one turn, so that the argument of the cosine is small and exact.
        angle = 2 * math.pi * (bins[:, None] * samples % self.n_fft).double() / self.n_fft
        kernels = torch.cat((angle.cos(), -angle.sin()))[:, None] * window
        # All bins but the first and last also represent their mirror image.
        weights = torch.full((len(bins),), 2.0).double()
        weights[0] = weights[-1] = 1.0
        self.register_buffer("analysis", kernels.float())
        self.register_buffer("synthesis", (kernels * weights.repeat(2)[:, None, None] / self.n_fft).float())
        self.register_buffer("squares", window.square()[None, None].float())

    def forward(self, mixture: Tensor, condition: Tensor) -> Tensor:
        """Separate mixtures (B, C, T), T > n_fft/2, by conditions (B, D): (B, C, T) float32."""
        half, (_, channels, samples) = self.n_fft // 2, mixture.shape
        waveforms = mixture.reshape(-1, 1, samples) if channels > 1 else mixture
        parts = F.conv1d(F.pad(waveforms, (half, half), mode="reflect"), self.analysis, stride=self.hop)
        real, imaginary = parts.transpose(1, 2).chunk(2, dim=-1)  # each (B·C, frames, bins)
        separated = torch.cat(self.network.separate_parts(real, imaginary, condition), dim=-1)
        summed = F.conv_transpose1d(separated.transpose(1, 2), self.synthesis, stride=self.hop)
        envelope = F.conv_transpose1d(torch.ones_like(parts[:1, :1]), self.squares, stride=self.hop)
        waveforms = (summed / envelope.clamp(min=1e-10))[..., half : half + samples]
        return waveforms.reshape(-1, channels, samples) if channels > 1 else waveforms
