"""Options of ``adapters``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from dplass_cli.options.adapter_settings import AdapterSettings


@dataclass(frozen=True)
class AdaptersImportOptions:
    """Options of ``adapters import``.

    Attributes:
        files: published adapter files.
        output: the folder that becomes a bank with ``partition``, else a folder of adapter folders.
        base_checkpoint: the base whose frozen weights the files must hold; None takes the contained one and writes it
            to ``base.safetensors`` in the output.
        partition: the partition whose domains the files' clusters are.
        adapter: what the files do not say (``rank`` of reconv, ``alpha``), and the ``dtype`` to store.
        trust_checkpoint: read pickled files that hold more than weights; such files can run code.
    """

    files: tuple[Path, ...] = field(metadata={"given": "a published file, such as cluster3_model.pt,"})
    output: Path
    base_checkpoint: str | None = None
    partition: Path | None = None
    adapter: AdapterSettings = field(default_factory=AdapterSettings)
    trust_checkpoint: bool = False
