"""The table of corpora: one row per corpus, all read by :mod:`dplass_cli.data.prepare.corpus_reader`.

Nothing heavy is imported here, because the command line lists the corpora from this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Corpus:
    """How a corpus lists its clips and their captions.

    Attributes:
        what: a description for users.
        source: where its format is documented.
        captions: the columns with captions.
        table: glob, below the corpus' folder, of the files that list the clips (CSV or JSON), with ``{split}``. None
            where the audio files themselves are the list; their columns are ``path``, ``folder`` (the first below the
            corpus' folder), ``parent`` (the last) and ``stem``.
        columns: names of the columns, for CSV tables without a header.
        split: the default part of the corpus.
        name: the column with the file name, the end of its path, or its stem.
        id: the column with the clip's id; the file name by default.
        video: files are named after ``id`` and ``start`` as downloaders do, and contain the clip only.
        labels: the column with machine ids, separated by commas like the class names in ``captions``.
        start: the column with the start, in seconds of the video, or of the file.
        end: the column with the end, likewise.
        seconds: length of clips without an end.
        sentences: captions are sentences, not class names.
        caption_of: {value of the caption column: caption}; clips with other values are left out. Where it is empty, the
            values are the captions.
        stem_files: clips may be audio tracks of ``.stem.mp4`` files, which are unpacked next to the manifest.
        unique_ids: an id repeated is a duplicate clip. Otherwise its records are further captions of the same clip.
        verb: the verb that prepares it, where that is not ``prepare KIND``.
        rejects: name of the file that lists the unused clips, with ``{manifest}`` for the manifest's stem.
        id_heading: the heading of the ids in that file.
        names_tried: how else its files may be named, for error messages.
        hint: the options to check when clips are missing.
    """

    what: str
    source: str
    captions: tuple[str, ...]
    table: str | None = None
    columns: tuple[str, ...] = ()
    split: str = ""
    name: str = ""
    id: str = ""
    video: bool = False
    labels: str = ""
    start: str = ""
    end: str = ""
    seconds: float | None = None
    sentences: bool = False
    caption_of: Mapping[str, str] = field(default_factory=dict)
    stem_files: bool = False
    unique_ids: bool = False
    verb: str = ""
    rejects: str = "{manifest}-rejects.csv"
    id_heading: str = "id"
    names_tried: str = "with other suffixes"
    hint: str = "check the folder, --audio-dir and --column"


_CLOTHO = ("caption_1", "caption_2", "caption_3", "caption_4", "caption_5")
_SOURCES = {name: name for name in ("vocals", "drums", "bass", "other")}
_SONGS = "expected songs as train/SONG/mixture.wav with their stems, or train/SONG.stem.mp4"
_STEMS = {"vocals": "singing voice", "drums": "drums", "bass": "bass"}  # "mixture" and "other" are not single sounds

CORPORA = {
    "audiocaps": Corpus("AudioCaps: clips of AudioSet with written captions", "https://github.com/cdjkim/audiocaps",
        ("caption",), "**/{split}.csv", split="train", id="youtube_id", start="start_time", seconds=10, video=True,
        sentences=True),
    "audioldm": Corpus("AudioLDM's format: dataset_root.json and the lists it names",
        "https://github.com/haoheliu/AudioLDM-training-finetuning",
        ("caption",), "**/dataset_root.json", split="train", name="wav", id="id", labels="labels", sentences=True),
    "audioset": Corpus("AudioSet: ten-second clips in 527 classes", "https://research.google.com/audioset/download.html",
        ("mids",), columns=("ytid", "start", "end", "mids"), id="ytid", start="start", end="end", labels="mids",
        video=True, unique_ids=True, verb="prepare-audioset", rejects="rejects.csv",
        id_heading="ytid",
        names_tried="with other suffixes, a leading Y, or start and end after the id",
        hint="check --audio-dir and --labels, give other file names with --name-map or --name-pattern"),
    "clotho": Corpus("Clotho: five captions per clip", "https://doi.org/10.5281/zenodo.4783391",
        _CLOTHO, "**/clotho_captions_{split}.csv", split="development", name="file_name", sentences=True),
    "csv": Corpus("Your own table: any columns, with --column", "columns wav, caption, labels, id, start, end",
        ("caption",), "*.csv", name="wav", id="id", labels="labels", start="start", end="end", sentences=True),
    "esc50": Corpus("ESC-50: environmental sounds in 50 classes", "https://github.com/karolpiczak/ESC-50",
        ("category",), "**/esc50.csv", name="filename"),
    "folder": Corpus("Your own folder, with one subfolder per sound", "DIR/a dog barking/1.wav",
        ("folder",), id="path"),
    "fsd50k": Corpus("FSD50K: Freesound clips with AudioSet labels", "https://doi.org/10.5281/zenodo.4060432",
        ("labels",), "**/FSD50K.ground_truth/{split}.csv", split="dev", name="fname", labels="mids"),
    "musdb18": Corpus("MUSDB18, stem files or wav: vocals, drums and bass of each song",
        "https://doi.org/10.5281/zenodo.3338373",
        ("stem",), id="parent", split="train", caption_of=_STEMS, stem_files=True,
        hint=_SONGS),
    "musdb18-sources": Corpus("MUSDB18 by the names that LaSAFT knows: vocals, drums, bass and other of each song",
        "https://doi.org/10.5281/zenodo.3338373",
        ("stem",), id="parent", split="train", caption_of=_SOURCES, stem_files=True,
        hint=_SONGS),
    "music21": Corpus("MUSIC21: solos of 21 instruments", "https://github.com/roudimit/MUSIC_dataset",
        ("class",), "**/MUSIC*_solo_videos.json", id="id", video=True),
    "vggsound": Corpus("VGGSound: ten-second clips in 309 classes", "https://www.robots.ox.ac.uk/~vgg/data/vggsound/",
        ("label",), "**/vggsound.csv", ("id", "start", "label", "split"), id="id", start="start", seconds=10,
        video=True),
    "wavcaps": Corpus("WavCaps: Freesound, BBC, SoundBible and AudioSet with written captions",
        "https://github.com/XinhaoMei/WavCaps",
        ("caption",), "**/*_final.json", name="id", id="id", sentences=True),
}
