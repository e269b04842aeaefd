"""Measurements of evaluating with seven adapters."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import soundfile
import torch
from torch import Tensor, nn
from torchlibrosa import stft as torchlibrosa

from benchmarks.measuring import fastest, perturbed, plain, precisions, published_steps
from dplass_cli.adapters import METHODS
from dplass_cli.audio.writing import write_audio
from dplass_cli.encoders.base import QueryEncoder
from dplass_cli.evaluation.evaluator import EvaluatorSettings, ItemRun, Runs, evaluate_batches, make_batches
from dplass_cli.evaluation.item_records import ItemRecords
from dplass_cli.evaluation.items import Item, Recorded
from dplass_cli.evaluation.metrics import sdr, si_sdr
from dplass_cli.models import BaseModel
from dplass_cli.models.backends import choose_backend
from dplass_cli.separation.bank import AdapterBank
from dplass_cli.separation.loading import Models
from dplass_cli.sounds import render
from dplass_cli.storage import no_progress


class ConvolutionSTFT(nn.Module):
    """The published transform: convolutions with Fourier kernels."""

    def __init__(self, n_fft: int, hop: int) -> None:
        super().__init__()
        self.forwards, self.backwards = torchlibrosa.STFT(n_fft, hop), torchlibrosa.ISTFT(n_fft, hop)

    def forward(self, waveform: Tensor) -> Tensor:
        real, imag = self.forwards(waveform)
        return torch.complex(real, imag)[:, 0]

    def inverse(self, spectrum: Tensor, length: int) -> Tensor:
        out: Tensor = self.backwards(spectrum.real[:, None], spectrum.imag[:, None], length)
        return out


@torch.inference_mode()
def evaluation(network: BaseModel, encoder: QueryEncoder, items: int, seconds: float, repeats: int) -> dict[str, float]:
    """Evaluate items with seven adapters, reading and metrics included, against the published procedure.

    The published procedure runs seven unmerged models on one item after the other, transforms by convolutions, and
    embeds the query for each model.
    """
    device = next(network.parameters()).device
    adapters = [perturbed(network) for _ in range(7)]
    models = [plain(network, adapter) for adapter in adapters]
    for model in models:
        model.backbone.stft = ConvolutionSTFT(network.config.n_fft, network.config.hop).to(device)
    bank = AdapterBank(network)
    for number, adapter in enumerate(adapters):
        bank.add(f"domain{number}", adapter)
    rate, run = network.config.sample_rate, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asked = []
        for number in range(items):
            audio = Recorded(folder / f"segment-{number}.wav", folder / f"mixture-{number}.wav")
            for path, kind in ((audio.reference, "dog_bark"), (audio.mixture, "rain")):
                write_audio(path, render(kind, 3000 + number, seconds, rate)[None], rate, "PCM_16")
            asked.append(Item(str(number), f"sound {number}", "", audio))
        lengths = {item.idx: round(seconds * rate) for item in asked}

        def ours(keys: list[str], similarity: bool, bfloat16: bool) -> None:
            nonlocal run
            run += 1
            plan: dict[str, Runs] = {item.idx: {key: ItemRun(key) for key in keys} for item in asked}
            size = 4 if device.type == "cpu" else 16
            settings = EvaluatorSettings(None, size, 4, bfloat16, similarity, False)
            with ItemRecords(folder / str(run), "k", lambda names: {}) as records:
                batches = make_batches(asked, lengths, plan, size)
                evaluate_batches(batches, lengths, plan, Models(network, encoder, bank), records, settings, no_progress)

        def theirs() -> None:
            for item in asked:
                source, mixed = (soundfile.read(file, dtype="float32")[0] for file in item.files)
                before = sdr(source, mixed)
                for model in models:
                    encoder._texts.clear()  # type: ignore[attr-defined]
                    condition = encoder.embed_text([item.query]).to(device)
                    estimate = model(torch.from_numpy(mixed)[None, None].to(device), condition)[0, 0].cpu().numpy()
                    _ = sdr(source, estimate) - before, si_sdr(source, estimate)

        with published_steps():
            slow = fastest(theirs, repeats)
        result = {"plain_s": slow}
        choose_backend(network, "auto", warmup_macs=0.0)
        for what, keys, similarity in (
            ("all_adapters", bank.keys, False),
            ("all_adapters_with_similarity", bank.keys, True),
            ("text", bank.keys[:1], False),
        ):
            for precision in precisions(device):
                measured = partial(ours, keys, similarity, precision == "bf16-mixed")
                result[f"{what}_{precision}_times_faster"] = slow / fastest(measured, repeats)
    choose_backend(network, "torch")
    whole = {t.data_ptr(): t.numel() * t.element_size() for m in models for t in (*m.parameters(), *m.buffers())}
    for method in METHODS:
        for what, kept in (("all_kept", 7), ("read_at_switches", 1)):
            result[f"weights_of_plain_{method}_{what}"] = bank_bytes(network, method, kept) / sum(whole.values())
    return result


def bank_bytes(network: BaseModel, method: str, kept: int) -> int:
    """Bytes of the tensors of a network and a bank after a switch, each counted once.

    Args:
        kept: adapters in memory: seven, or one if they are read from disk at every switch.
    """
    bank, adapters = AdapterBank(network), [perturbed(network, method) for _ in range(kept)]
    for number, adapter in enumerate(adapters):
        bank.add(f"domain{number}", adapter)
    for key in bank.keys:
        bank.activate(key)
    deltas = [p for adapter in adapters for layer in adapter.layers.values() for p in layer.parameters()]
    tensors: list[Tensor] = [*network.state_dict().values(), *deltas, *bank._base_weights.values()]
    held = sum({t.data_ptr(): t.numel() * t.element_size() for t in tensors}.values())
    bank.activate(None)
    return held
