"""Clips that no package contains: phrases rendered from soundfonts, and sentences of speech synthesisers."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from tiny_models.corpus.packages import unpack_tools
from tiny_models.corpus.phrases import compose, midi_file, parse
from tiny_models.corpus.sources import Source

PHRASE_RATE = 32000
GAIN = "0.5"  # of fluidsynth; leaves room for chords
FESTIVAL_VOICE = "voice_ked_diphone"
SENTENCE = re.compile(r'synthetic speech, voice (\w+): "(.*)"')


def render_phrase(source: Source, soundfont_package: Path, cache: Path, seed: int) -> bytes:
    """A phrase by the description of its row, as a wav file.

    Args:
        source: a row with :attr:`Source.is_phrase`.
        soundfont_package: folder of the unpacked package of the soundfont.
        cache: folder that fluidsynth is unpacked to.
        seed: of the phrase.

    Raises:
        GoneError: fluidsynth can't be downloaded.
        FileNotFoundError: the package contains no soundfont.
    """
    name = source.path.split(":")[0]
    soundfonts = sorted(soundfont_package.rglob(f"{name}*.sf[23]"))
    if not soundfonts:
        raise FileNotFoundError(f"{name}: no such soundfont in the package")
    description = parse(source.path)
    midi = midi_file(compose(description, seed), description.program, description.style == "drums")
    with TemporaryDirectory(dir=cache) as folder:
        song, wav = Path(folder) / "phrase.mid", Path(folder) / "phrase.wav"
        song.write_bytes(midi)
        # Without dynamic loading, all samples of a compressed soundfont are decoded for every phrase.
        loading = ["-o", "synth.dynamic-sample-loading=1"]
        options = ["-ni", "-q", *loading, "-g", GAIN, "-r", str(PHRASE_RATE), "-F", str(wav)]
        _run(cache, "fluidsynth", [*options, str(soundfonts[0]), str(song)])
        return wav.read_bytes()


def speak(source: Source, cache: Path) -> bytes:
    """A sentence spoken by Flite or Festival, as a wav file.

    Args:
        source: a row with :attr:`Source.is_synthetic_speech`.
        cache: folder that the synthesisers are unpacked to.

    Raises:
        GoneError: the synthesiser can't be downloaded.
        ValueError: the row's path isn't a sentence and its voice.
    """
    found = SENTENCE.fullmatch(source.path)
    if not found:
        raise ValueError(f"{source.filename}: expected a voice and a sentence; found {source.path!r}")
    voice, text = found.groups()
    with TemporaryDirectory(dir=cache) as folder:
        wav = Path(folder) / "sentence.wav"
        if source.package == "flite":
            _run(cache, "flite", ["-voice", voice, "-t", text, "-o", str(wav)])
        else:
            script = Path(folder) / "sentence.scm"
            library = unpack_tools(["festival", source.package], cache) / "usr/share/festival"
            script.write_text(_festival_script(library, text, wav), encoding="utf-8")
            _run(cache, "festival", ["-b", str(script)])
        return wav.read_bytes()


def _festival_script(library: Path, text: str, wav: Path) -> str:
    """Speak a text with the library in another place than the one that Festival was built for."""
    return f"""
(set! libdir "{library}")
(set! datadir libdir)
(set! load-path (cons libdir nil))
(load "{library}/init.scm")
({FESTIVAL_VOICE})
(utt.save.wave (utt.synth (Utterance Text "{text}")) "{wav}" 'riff)
"""


def _run(cache: Path, program: str, arguments: list[str]) -> None:
    """Run an unpacked program with the libraries that were unpacked with it.

    Raises:
        GoneError: it can't be downloaded.
        subprocess.CalledProcessError: it failed.
    """
    root = unpack_tools([program], cache)
    libraries = [str(folder) for folder in sorted(root.glob("usr/lib/*-linux-gnu"))]
    environment = {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(libraries)}
    command = [str(root / "usr/bin" / program), *arguments]
    subprocess.run(command, env=environment, check=True, capture_output=True)
