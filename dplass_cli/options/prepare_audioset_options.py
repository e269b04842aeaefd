"""Options of ``prepare-audioset``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from dplass_cli.options.prepare_options import Captions, Selection


@dataclass(frozen=True)
class PrepareAudiosetOptions(Selection):
    """What to prepare; and how it is checked and chosen, as :class:`~dplass_cli.options.prepare_options.Selection`.

    Attributes:
        segments: AudioSet segment lists (weak ``.csv`` or strong ``.tsv``), read in this order.
        labels: the class list (index, mid, display_name), or the strong labels' ``mid_to_display_name.tsv``.
        audio_dir: folders with the clips, searched with their subfolders.
        output: the manifest to write; ``rejects.csv`` goes beside it.
        captions: "single" keeps clips with one label, "each" makes a row of each label, "joined" one of all labels,
            "file" a row of each of their captions in ``caption_file``.
        caption_file: a CSV (ytid or youtube_id, caption), such as AudioCaps'.
        exclude_label: class names or machine ids; clips with one of them are left out.
        include_domain: only classes of these domains of ``domains`` become captions.
        domains: a partition folder, or a published partition of class names.
        name_map: a CSV (YTID, filename) for clips with other names.
        name_pattern: how the clips are named, such as ``{id}_{start:06.0f}``.
        ids: a text file with the YTIDs to keep, one a line.
        file_list: a text file with the clips' paths, one a line; it spares reading the folders.
    """

    segments: tuple[Path, ...] = ()
    labels: Path = field(kw_only=True)
    audio_dir: tuple[Path, ...] = ()
    output: Path = field(kw_only=True)
    captions: Captions = "single"
    caption_file: Path | None = None
    exclude_label: tuple[str, ...] = ()
    include_domain: tuple[int, ...] = ()
    domains: Path | None = None
    name_map: Path | None = None
    name_pattern: str = ""
    ids: Path | None = None
    file_list: Path | None = None
