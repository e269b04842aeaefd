"""Options of ``tag``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dplass_cli.errors import InvalidValue
from dplass_cli.options.declaration import argument, option, section
from dplass_cli.options.embed_options import EmbeddingSettings
from dplass_cli.options.head_options import HeadSettings, MelAugmentation
from dplass_cli.options.model_options import EncoderOptions

TAG_THRESHOLD = 0.3
"""By default, a sound is there from this probability on; see docs/tagging.md."""

FIT = "Fitting a head"  # panel of the help page


def threshold_option(help: str, **details: str) -> float:
    """Declare ``--threshold``; ``help`` says what it is the lowest probability of."""
    expected = "a probability from 0 to 1, such as 0.3"
    return option(TAG_THRESHOLD, help, "--threshold", least=0, most=1, expected=expected, **details)


@dataclass(frozen=True, kw_only=True)
class TagOptions(EncoderOptions):
    """Options of ``tag``."""

    recordings: tuple[Path, ...] = argument("RECORDING", "Recordings, folders or patterns.", ())
    labels: str | None = option(
        None,
        "Sounds to look for: audioset, scenes, or a file with one per line.",
        shown="those of dplass sounds",
        named=True,
    )
    head: Path | None = option(None, "File of a head, which --fit writes; its labels replace --labels.")
    output: Path | None = option(
        None,
        "Folder of label files for Audacity, one per recording; with --fit, of the head and its report.",
        also="-o",
    )
    picture: bool = option(False, "Also draw the timeline of each recording into --output, as PNG.")
    threshold: float = threshold_option("The lowest probability of a sound that is listed.")
    top: int | None = option(None, "At most this many sounds per recording, the most probable.", least=1)
    window: float | None = option(
        None,
        "Seconds that are embedded at once. Windows overlap by half.",
        shown="2.5; with --head, the length of the clips it was fitted on",
        above=0,
    )
    track: int = option(1, "Which audio track of a video or another file with several, from 1 on.", least=1)
    fit: Path | None = option(
        None, "Fit a head on the clips of a manifest, and measure it: --fit train.json -o head", panel=FIT
    )
    test: Path | None = option(
        None, "Manifest of the clips to measure the head on.", shown="a fifth of those of --fit", panel=FIT
    )
    fraction: tuple[float, ...] = option(
        (),
        "Also measure heads fitted on these shares of the clips, in percent: --fraction 5,10,25,50,100",
        split=True,
        panel=FIT,
    )
    augment: tuple[MelAugmentation, ...] = option(
        (),
        "Also fit on augmented mel inputs of the tiny encoder: mixup, freq-mixstyle, impulse.",
        split=True,
        panel=FIT,
    )
    impulse_responses: Path | None = option(None, "Folder of impulse responses for --augment impulse.", panel=FIT)
    by: str = option("device", "Key of the manifest by whose values results are shown, too.", panel=FIT, named=True)
    cache: Path | None = option(None, "Folder of embeddings, such as embed writes.", panel=FIT)
    seed: int = option(42, "Seed of the test clips, the shares and the augmentations.", panel=FIT, least=0)
    head_fit: HeadSettings = section(HeadSettings, "How a head is fitted.")
    embedding: EmbeddingSettings = section(EmbeddingSettings, "How clips are embedded.")

    def __post_init__(self) -> None:
        super().__post_init__()
        for percent in self.fraction:
            if not 0 < percent <= 100:
                raise InvalidValue("fraction", percent, "above 0 and at most 100")
