"""Options of ``prepare-audioset``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dplass_cli.errors import InputError
from dplass_cli.options.declaration import option, required
from dplass_cli.options.prepare_options import Captions, ClipSelection


@dataclass(frozen=True, kw_only=True)
class PrepareAudiosetOptions(ClipSelection):
    """Options of ``prepare-audioset``."""

    segments: tuple[Path, ...] = option((), "Segment list (weak .csv or strong .tsv). Repeatable.")
    labels: Path = required("Class list: class_labels_indices.csv, or mid_to_display_name.tsv.")
    audio_dir: tuple[Path, ...] = option((), "Folder of clips, searched with its subfolders. Repeatable.")
    output: Path = required("The manifest to write, such as train.json.", also="-o")
    captions: Captions = option(
        "single",
        "single: only clips with one label; each: a row per label; joined: one row of all labels; file: rows of"
        " --caption-file.",
    )
    caption_file: Path | None = option(None, "CSV (youtube_id, caption) for --captions file, such as AudioCaps'.")
    exclude_label: tuple[str, ...] = option((), "Leave out clips with this class (name or mid). Repeatable.")
    include_domain: tuple[int, ...] = option((), "Keep only classes of this domain of --domains. Repeatable.")
    domains: Path | None = option(None, "A partition folder, or a published partition (JSON).")
    name_map: Path | None = option(None, "CSV (YTID, filename) for clips with other names.")
    name_pattern: str = option("", "How clips are named: {id}, {start}, {end}, {start_ms}, {end_ms}.")
    ids: Path | None = option(None, "Keep only these YTIDs: a text file, one per line.")
    file_list: Path | None = option(
        None, "Text file with the clips' paths, one per line, instead of searching folders."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.segments:
            raise InputError("no segment list; give one with --segments")
        if not self.audio_dir and self.file_list is None:
            raise InputError("no clips; give their folder with --audio-dir or a list of paths with --file-list")
        if (self.captions == "file") != (self.caption_file is not None):
            raise InputError("--captions file and --caption-file CSV require each other; give both")
        if bool(self.include_domain) != (self.domains is not None):
            raise InputError("--include-domain and --domains (a partition) require each other; give both")
