"""``--query auto``: the sounds that are found become the queries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from level_encoder import LevelEncoder

from dplass_cli.audio.writing import write_audio
from dplass_cli.encoders import load_encoder
from dplass_cli.errors import InputError
from dplass_cli.options.separate_options import SeparateOptions
from dplass_cli.separation.queries import Query
from dplass_cli.separation.recordings import Recording
from dplass_cli.tagging.proposals import Proposals, with_proposals


def recording(folder: Path, *queries: Query, level: float = 0.9) -> Recording:
    path = folder / f"{level}.wav"
    write_audio(path, (level * (-1.0) ** np.arange(3000))[None].astype(np.float32), 1000, "FLOAT")
    return Recording(path, queries, path.stem)


def proposed(*recordings: Recording, threshold: float = 0.5) -> Proposals:
    options = SeparateOptions(output=Path("out"), threshold=threshold)
    return with_proposals(recordings, LevelEncoder("loud", "quiet"), options)


def test_auto_becomes_the_sounds_that_are_found_whose_targets_share_the_recording(tmp_path: Path) -> None:
    given = recording(tmp_path, Query("auto", without=("wind",)), Query("siren"))
    found = proposed(given)
    (complete,) = found.recordings
    assert complete.queries == (Query("loud", without=("wind",)), Query("siren"))
    assert complete.consistent
    assert [(tag.sound, round(tag.score, 2)) for tag in found.found[str(given.path)]] == [("loud", 0.9)]


def test_other_recordings_stay_as_they_are(tmp_path: Path) -> None:
    given = recording(tmp_path, Query("siren"))
    assert proposed(given) == Proposals([given], {}, {})


def test_a_sound_that_is_kept_out_is_not_proposed(tmp_path: Path) -> None:
    found = proposed(recording(tmp_path, Query("auto", without=("loud",))), threshold=0.05)
    assert [query.text for query in found.recordings[0].queries] == ["quiet"]
    with pytest.raises(InputError, match=r"0.9.wav: only sounds of --not were found"):
        proposed(recording(tmp_path, Query("auto", without=("Loud",))))


def test_a_recording_without_sounds_does_not_stop_the_others(tmp_path: Path) -> None:
    silent, loud = recording(tmp_path, Query("auto"), level=0.0), recording(tmp_path, Query("auto"))
    found = proposed(silent, loud)
    assert [each.path for each in found.recordings] == [loud.path]
    why = f"{silent.path}: no sound reaches --threshold 0.5; lower it, or describe a sound with --query"
    assert found.failed == {str(silent.path): why}
    with pytest.raises(InputError, match="no sound reaches --threshold"):
        proposed(silent)


def test_auto_with_spans_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^--spans: says where one sound is; name that sound instead of --query auto"):
        proposed(recording(tmp_path, Query("auto", spans=((0.0, 1.0),))))


def test_of_sounds_that_contain_each_other_one_is_proposed(tmp_path: Path) -> None:
    """Speech contains male speech, so that both of them as targets would share one voice."""
    path = tmp_path / "voice.wav"
    encoder = load_encoder()
    from dplass_cli.sounds import render

    write_audio(path, render("male_speech", 3, 3.0, 32000)[None], 32000)
    options = SeparateOptions(output=Path("out"), threshold=0.1)
    found = with_proposals([Recording(path, (Query("auto"),), "voice")], encoder, options)
    sounds = [query.text for query in found.recordings[0].queries]
    assert sounds[0] in ("male speech", "speech")
    assert len({"male speech", "speech"} & set(sounds)) == 1
