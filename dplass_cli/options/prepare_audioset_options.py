"""Options of ``prepare-audioset``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dplass_cli.options.declaration import option
from dplass_cli.options.prepare_options import Captions, ClipSelection


@dataclass(frozen=True, kw_only=True)
class PrepareAudiosetOptions(ClipSelection):
    """Options of ``prepare-audioset``."""

    segments: tuple[Path, ...] = option(
        "--segments", default=(), help="Segment list (weak .csv or strong .tsv). Repeatable."
    )
    labels: Path = option("--labels", help="Class list: class_labels_indices.csv, or mid_to_display_name.tsv.")
    audio_dir: tuple[Path, ...] = option(
        "--audio-dir", default=(), help="Folder of clips, searched with its subfolders. Repeatable."
    )
    output: Path = option("--output", "-o", help="The manifest to write, such as train.json.")
    captions: Captions = option(
        "--captions",
        default="single",
        help="single: only clips with one label; each: a row per label; joined: one row of all labels; file: rows of"
        " --caption-file.",
    )
    caption_file: Path | None = option(
        "--caption-file", default=None, help="CSV (youtube_id, caption) for --captions file, such as AudioCaps'."
    )
    exclude_label: tuple[str, ...] = option(
        "--exclude-label", default=(), help="Leave out clips with this class (name or mid). Repeatable."
    )
    include_domain: tuple[int, ...] = option(
        "--include-domain", default=(), help="Keep only classes of this domain of --domains. Repeatable."
    )
    domains: Path | None = option(
        "--domains", default=None, help="A partition folder, or a published partition (JSON)."
    )
    name_map: Path | None = option("--name-map", default=None, help="CSV (YTID, filename) for clips with other names.")
    name_pattern: str = option(
        "--name-pattern", default="", help="How clips are named: {id}, {start}, {end}, {start_ms}, {end_ms}."
    )
    ids: Path | None = option("--ids", default=None, help="Keep only these YTIDs: a text file, one per line.")
    file_list: Path | None = option(
        "--file-list", default=None, help="Text file with the clips' paths, one per line, instead of searching folders."
    )
