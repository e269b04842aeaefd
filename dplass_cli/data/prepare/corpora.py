"""The table of corpora: a corpus is a row, the reader (:mod:`dplass_cli.data.prepare.corpus_reader`) is one.

Nothing heavy is imported here: the command line lists the corpora by this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Corpus:
    """How a corpus tells the captions of its clips.

    Attributes:
        what: what it is, for people.
        source: where its form is described.
        table: the file that lists the clips, below the corpus' folder, as a glob with ``{split}``; CSV, or JSON. None
            where the audio files themselves are the list: their columns are ``path``, ``folder`` (the first below the
            corpus' folder), ``parent`` (the last) and ``stem``.
        columns: of a CSV table without a header.
        split: the default part of the corpus.
        captions: the columns with captions.
        name: the column with the file name, a part of its path, or its stem.
        id: the column with the clip's id; by default its file name. Lines with the same id are one clip.
        video: files are named after ``id`` and ``start`` as downloaders do, and hold the clip alone.
        labels: the column with machine ids, separated by commas as the class names in ``captions`` are.
        start, end: columns with seconds; of the video, else inside the file.
        seconds: length of clips that have only a start.
        sentences: captions are free sentences, not names of classes.
        said: {value of the caption column: caption}; clips with other values are left out.
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
    said: Mapping[str, str] = field(default_factory=dict)


_CLOTHO = ("caption_1", "caption_2", "caption_3", "caption_4", "caption_5")
_STEMS = {"vocals": "singing voice", "drums": "drums", "bass": "bass"}  # mixture and other are no one sound

CORPORA = {
    "audiocaps": Corpus("AudioCaps: clips of AudioSet with written captions", "https://github.com/cdjkim/audiocaps",
        ("caption",), "**/{split}.csv", split="train", id="youtube_id", start="start_time", seconds=10, video=True,
        sentences=True),
    "audioldm": Corpus("AudioLDM's form: dataset_root.json and the lists that it names",
        "https://github.com/haoheliu/AudioLDM-training-finetuning",
        ("caption",), "**/dataset_root.json", split="train", name="wav", id="id", sentences=True),
    "clotho": Corpus("Clotho: five captions a clip", "https://doi.org/10.5281/zenodo.4783391",
        _CLOTHO, "**/clotho_captions_{split}.csv", split="development", name="file_name", sentences=True),
    "csv": Corpus("A table of your own: any columns, by --column", "columns wav, caption, labels, id, start, end",
        ("caption",), "*.csv", name="wav", id="id", labels="labels", start="start", end="end", sentences=True),
    "esc50": Corpus("ESC-50: environmental sounds in 50 classes", "https://github.com/karolpiczak/ESC-50",
        ("category",), "**/esc50.csv", name="filename"),
    "folder": Corpus("A folder of your own: its sub-folders are named by what sounds", "DIR/a dog barking/1.wav",
        ("folder",), id="path"),
    "fsd50k": Corpus("FSD50K: Freesound clips with AudioSet labels", "https://doi.org/10.5281/zenodo.4060432",
        ("labels",), "**/FSD50K.ground_truth/{split}.csv", split="dev", name="fname", labels="mids"),
    "musdb18": Corpus("MUSDB18 as wav: vocals, drums and bass of each song", "https://doi.org/10.5281/zenodo.3338373",
        ("stem",), id="parent", split="train", said=_STEMS),
    "music21": Corpus("MUSIC21: solos of 21 instruments", "https://github.com/roudimit/MUSIC_dataset",
        ("class",), "**/MUSIC*_solo_videos.json", id="id", video=True),
    "vggsound": Corpus("VGGSound: ten-second clips in 309 classes", "https://www.robots.ox.ac.uk/~vgg/data/vggsound/",
        ("label",), "**/vggsound.csv", ("id", "start", "label", "split"), id="id", start="start", seconds=10,
        video=True),
    "wavcaps": Corpus("WavCaps: Freesound, BBC, SoundBible and AudioSet with written captions",
        "https://github.com/XinhaoMei/WavCaps",
        ("caption",), "**/*_final.json", name="id", id="id", sentences=True),
}
