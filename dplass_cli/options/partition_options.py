"""Options of ``partition``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from dplass_cli.errors import InputError, check_choice
from dplass_cli.options.declaration import argument, check_field, option
from dplass_cli.options.model_options import EncoderOptions

Method = Literal["kmeans", "spherical-kmeans", "agglomerative", "hdbscan"]
Features = Literal["audio", "text", "both"]
Projection = Literal["tsne", "umap", "pca"]

_LARGEST_SEED = 2**31 - 1


@dataclass(frozen=True)
class PartitionOptions(EncoderOptions):
    """Options of ``partition``.

    Raises:
        InputError: a number is out of range.
    """

    manifest: Path = argument("MANIFEST", help="Training manifest, such as train.json.")
    output: Path = option("--output", "-o", help="The partition folder to write.")
    domains: int | Literal["auto"] = option(
        "--domains", default=7, help="Number of domains; auto finds one from 2 to 15."
    )
    method: Method = option(
        "--method",
        default="kmeans",
        help="Clustering: kmeans, spherical-kmeans, agglomerative, or hdbscan (finds its own number of domains).",
    )
    features: Features = option(
        "--features", default="audio", help="audio (how captions sound), text (what they say) or both."
    )
    weight: Literal["captions", "clips"] = option(
        "--weight", default="captions", help="captions: all weigh the same; clips: each by its number of clips."
    )
    import_file: Path | None = option(
        "--import", default=None, help="Adopt a published partition instead of clustering."
    )
    labels: Path | None = option(
        "--labels", default=None, help="AudioSet's class_labels_indices.csv: matches rows' labels to --import."
    )
    report: bool = option("--report", default=False, help="Compare 2 to 15 domains, in a table and a plot.")
    map: Projection = option("--map", default="tsne", help="Layout of the map of captions: tsne, umap or pca.")
    seed: int = option("--seed", default=42, help="Seed of the clustering, the split and the mixtures.")
    val_fraction: float = option(
        "--val-fraction", default=0.1, help="Part of the clips to hold out for validation, between 0 and 1."
    )
    val_mixtures: int = option(default=20, help="Largest number of validation mixtures per domain.")
    cache: Path | None = option(
        "--cache", default=None, help="Folder of audio embeddings to use and to keep, such as embed writes."
    )

    def __post_init__(self) -> None:
        check_field(self, "domains", self.domains == "auto" or self.domains >= 1, "auto or at least 1")
        for name, known in _CHOICES.items():
            check_choice(f"--{name}", getattr(self, name), known)
        if self.report and (self.method == "hdbscan" or self.import_file):
            has = "an imported partition has" if self.import_file else "--method hdbscan finds"
            raise InputError(f"--report: {has} its own number of domains; leave it out")
        if self.labels and not self.import_file:
            raise InputError(f"--labels {self.labels}: is for an imported partition; give --import, or leave it out")
        check_field(self, "seed", 0 <= self.seed <= _LARGEST_SEED, f"between 0 and {_LARGEST_SEED}")
        check_field(self, "val_fraction", 0.0 < self.val_fraction < 1.0, "more than 0 and less than 1")
        check_field(self, "val_mixtures", self.val_mixtures >= 1, "at least 1")


_CHOICES: dict[str, tuple[str, ...]] = {
    "features": get_args(Features),
    "method": get_args(Method),
    "weight": ("captions", "clips"),
    "map": get_args(Projection),
}
