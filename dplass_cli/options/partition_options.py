"""Options of ``partition``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from dplass_cli.errors import InputError
from dplass_cli.options.model_options import EncoderOptions

Method = Literal["kmeans", "spherical-kmeans", "agglomerative", "hdbscan"]


Features = Literal["audio", "text", "both"]


Projection = Literal["tsne", "umap", "pca"]


_LARGEST_SEED = 2**31 - 1


@dataclass(frozen=True)
class PartitionOptions(EncoderOptions):
    """What ``partition`` needs to know; the encoder as :class:`~dplass_cli.options.model_options.EncoderOptions`.

    Attributes:
        manifest: the rows to partition.
        output: the partition folder to write.
        domains: how many, or ``auto`` for the number that suits the captions best, of 2 … 15; an imported partition and
            ``hdbscan`` have their own number.
        method: of clustering.
        features: partition by what the captions sound like, by what they say, or by both.
        weight: all captions weigh the same (as published), or each as many clips as it has.
        import_file: a published partition to adopt instead of clustering.
        labels: AudioSet's list of classes, by which rows' machine ids match an imported partition.
        report: judge 2 … 15 domains, not only the number that is made.
        map: how the map lays captions out.
        seed: of k-means, the split and the mixtures.
        val_fraction: the part of the clip ids that is held out, between 0 and 1.
        val_mixtures: validation mixtures a domain, at most.
        cache: folder of audio embeddings that are taken and kept, such as ``embed`` fills; None keeps none.

    Raises:
        InputError: a number is out of range.
    """

    manifest: Path = field(metadata={"given": "a manifest, such as train.json,"})
    output: Path
    domains: int | Literal["auto"] = 7
    method: Method = "kmeans"
    features: Features = "audio"
    weight: Literal["captions", "clips"] = "captions"
    import_file: Path | None = None
    labels: Path | None = None
    report: bool = False
    map: Projection = "tsne"
    seed: int = 42
    val_fraction: float = 0.1
    val_mixtures: int = 20
    cache: Path | None = None

    def __post_init__(self) -> None:
        if self.domains != "auto" and self.domains < 1:
            raise InputError(f"--domains must be auto or at least 1, not {self.domains}")
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise InputError(f"--{name} must be one of {', '.join(known)}, not {getattr(self, name)!r}")
        if self.report and (self.method == "hdbscan" or self.import_file):
            has = "an imported partition has" if self.import_file else "--method hdbscan finds"
            raise InputError(f"{has} its own number of domains; leave --report out")
        if self.labels and not self.import_file:
            raise InputError("--labels names rows' labels for an imported partition; give --import, or leave it out")
        if not 0 <= self.seed <= _LARGEST_SEED:
            raise InputError(f"--seed must be between 0 and {_LARGEST_SEED}, not {self.seed}")
        if not 0.0 < self.val_fraction < 1.0:
            raise InputError(f"--val-fraction must be more than 0 and less than 1, not {self.val_fraction}")
        if self.val_mixtures < 1:
            raise InputError(f"--val-mixtures must be at least 1, not {self.val_mixtures}")


_CHOICES: dict[str, tuple[str, ...]] = {
    "features": get_args(Features),
    "method": get_args(Method),
    "weight": ("captions", "clips"),
    "map": get_args(Projection),
}
