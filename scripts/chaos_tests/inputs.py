"""The inputs of the verbs: a small corpus, models and tables, and a slow server of weights."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def build(place: Path, address: str) -> None:
    """Write the inputs of all verbs.

    Args:
        place: folder to create.
        address: URL of the server of weights.
    """
    import torch
    from small_corpus import build as build_corpus
    from small_networks import loaded, small_network

    from dplass_cli.adapters.adapter_folder import save_adapter
    from dplass_cli.adapters.bank_folder import BankDomain, write_bank
    from dplass_cli.adapters.dplass_format import to_published
    from dplass_cli.domains.partition_folder import read_partition
    from dplass_cli.models import load_base, save_base
    from dplass_cli.models.audiosep_checkpoint import write_checkpoint
    from dplass_cli.options.adapter_settings import AdapterSettings
    from dplass_cli.options.evaluate_options import EvaluateOptions
    from dplass_cli.pipelines.evaluate import evaluate

    place.mkdir()
    build_corpus(place)
    network = load_base(place / "base.safetensors")
    partition = read_partition(place / "partition")
    for row, domain in enumerate(partition.domains):
        adapter = loaded(network, AdapterSettings(), row)
        info = dataclasses.replace(adapter.info, encoder_fingerprint=partition.encoder_fingerprint)
        save_adapter(place / "bank" / f"domain{domain.id}", dataclasses.replace(adapter, info=info))
    domains = [
        BankDomain(d.id, d.name, d.captions, partition.text_centroids[row], partition.audio_centroids[row])
        for row, d in enumerate(partition.domains)
    ]
    write_bank(place / "bank", domains, {})
    published = small_network()
    save_base(place / "small.safetensors", published, None)
    for number in range(2):
        torch.manual_seed(number)
        adapter = loaded(published, AdapterSettings(), number)
        save_adapter(place / "small_adapter", adapter)
        write_checkpoint(place / f"cluster{number}_model.pt", to_published(adapter, published))
    (place / "sweep.yaml").write_text(
        "encoder: tiny\ndevice: cpu\n"
        "train: {batch_size_per_device: 2, num_workers: 0, max_epochs: 2, save_step_frequency: 1, examples: 0}\n"
    )
    for name in ("first", "second"):
        evaluate(
            EvaluateOptions(
                output=place / name,
                metadata_csv=place / "mixtures.csv",
                base_checkpoint=str(place / "base.safetensors"),
                encoder="tiny",
                adapters=(str(place / "bank"),),
                limit=4,
                device="cpu",
                backend="torch",  # runs are forked, and OpenVINO's threads do not survive a fork
            )
        )
    for path in place.glob("*1.wav"):
        kind = place / "kinds" / path.stem[:-1]
        kind.mkdir(parents=True)
        shutil.copy2(path, kind)
    (place / "clips").mkdir()
    lines, labels = [], ["index,mid,display_name"]
    for number, path in enumerate(sorted(place.glob("*0.wav"))[:3]):
        shutil.copy2(path, place / "clips" / f"clip{number:07d}.wav")
        lines.append(f'clip{number:07d}, 0.000, 2.500, "/m/{number}"')
        labels.append(f"{number},/m/{number},sound {number}")
    (place / "segments.csv").write_text("\n".join(lines) + "\n")
    (place / "labels.csv").write_text("\n".join(labels) + "\n")
    (place / "weights.yaml").write_text(
        f"some:\n  what: w\n  licence: l\n  url: {address}\n  files: [{{path: a.bin}}, {{path: b.bin}}]\n"
    )


class _SlowHandler(BaseHTTPRequestHandler):
    """Serves random files slowly; supports ranges, so that downloads can resume."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def do_GET(self) -> None:
        """Serve a file, or the range of it that is requested."""
        data = random.Random(self.path).randbytes(2_000_000)
        requested = self.headers.get("Range")
        start = int(requested.removeprefix("bytes=").rstrip("-")) if requested else 0
        self.send_response(206 if requested else 200)
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()[:8]}"')
        self.send_header("Content-Length", str(len(data) - start))
        if requested:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        with contextlib.suppress(OSError):
            for at in range(start, len(data), 100_000):
                self.wfile.write(data[at : at + 100_000])
                time.sleep(0.02)
        self.close_connection = True


@contextlib.contextmanager
def slow_server() -> Iterator[str]:
    """Run the server in a process of its own: its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _SlowHandler)
    process = os.fork()
    if process == 0:
        server.serve_forever()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        server.server_close()
