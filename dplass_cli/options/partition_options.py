"""Options of ``partition``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dplass_cli.errors import InputError
from dplass_cli.options.declaration import argument, option, required, setting
from dplass_cli.options.model_options import EncoderOptions

Method = Literal["kmeans", "spherical-kmeans", "agglomerative", "hdbscan"]
Features = Literal["audio", "text", "both"]
Projection = Literal["tsne", "umap", "pca"]


@dataclass(frozen=True)
class PartitionOptions(EncoderOptions):
    """Options of ``partition``."""

    manifest: Path = argument("MANIFEST", "Training manifest, such as train.json.")
    output: Path = required("The partition folder to write.", also="-o")
    domains: int | Literal["auto"] = option(7, "Number of domains; auto finds one from 2 to 15.", least=1)
    method: Method = option(
        "kmeans", "Clustering: kmeans, spherical-kmeans, agglomerative, or hdbscan (finds its own number of domains)."
    )
    features: Features = option("audio", "audio (how captions sound), text (what they say) or both.")
    weight: Literal["captions", "clips"] = option(
        "captions", "captions: all weigh the same; clips: each by its number of clips."
    )
    import_file: Path | None = option(None, "Adopt a published partition instead of clustering.", "--import")
    labels: Path | None = option(None, "AudioSet's class_labels_indices.csv: matches rows' labels to --import.")
    report: bool = option(False, "Compare 2 to 15 domains, in a table and a plot.")
    map: Projection = option("tsne", "Layout of the map of captions: tsne, umap or pca.")
    seed: int = option(42, "Seed of the clustering, the split and the mixtures.", least=0, most=2**31 - 1)
    val_fraction: float = option(
        0.1, "Part of the clips to hold out for validation, between 0 and 1.", above=0, below=1
    )
    val_mixtures: int = setting(20, "Largest number of validation mixtures per domain.", least=1)
    cache: Path | None = option(None, "Folder of audio embeddings to use and to keep, such as embed writes.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.report and (self.method == "hdbscan" or self.import_file):
            has = "an imported partition has" if self.import_file else "--method hdbscan finds"
            raise InputError(f"--report: {has} its own number of domains; leave it out")
        if self.labels and not self.import_file:
            raise InputError(f"--labels {self.labels}: is for an imported partition; give --import, or leave it out")
