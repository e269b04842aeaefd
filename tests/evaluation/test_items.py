"""Items: read from tables, chosen, checked, hashed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dplass_cli.audio.writing import write_audio
from dplass_cli.data.manifest import Row
from dplass_cli.data.mixture_tables import Mixture
from dplass_cli.errors import InputError
from dplass_cli.evaluation.benchmarks import find_benchmark
from dplass_cli.evaluation.items import (
    Item,
    Recorded,
    audio_hashes,
    audio_sha256,
    check_items,
    choose_items,
    load_item,
    read_items,
)

RATE = 32000
KINDS = ("reference", "mixture")


def table(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text)
    return path


def tone(path: Path, seconds: float, rate: int = RATE) -> Path:
    samples = np.sin(np.arange(round(seconds * rate)) / 10).astype(np.float32)
    write_audio(path, 0.5 * samples[None], rate, "PCM_16")
    return path


def recorded(folder: Path, idx: str, seconds: tuple[float, float] = (1.0, 1.0)) -> Item:
    reference, mixture = (
        tone(folder / f"{idx}-{kind}.wav", length) for kind, length in zip(KINDS, seconds, strict=True)
    )
    return Item(idx, "a tone", "", Recorded(reference, mixture))


def test_paths_and_names_follow_the_formats_of_the_benchmark(tmp_path: Path) -> None:
    rows = "idx,caption\n3,Violin\n3,Violin\n4,Tuba\n"
    items = read_items(find_benchmark("audioset"), table(tmp_path, rows), tmp_path)
    assert [item.idx for item in items] == ["3-000", "3-001", "4-000"]
    assert items[1].files == (
        tmp_path / "class_id=3/class_id=3,index=001,source.wav",
        tmp_path / "class_id=3/class_id=3,index=001,mixture.wav",
    )
    assert [item.group for item in items] == ["Violin", "Violin", "Tuba"]


def test_queries_can_come_from_another_column(tmp_path: Path) -> None:
    path = table(tmp_path, "idx,caption,labels\n0,a dog barks,Dog\n")
    assert read_items(find_benchmark("audiocaps"), path, None)[0].query == "a dog barks"
    assert read_items(find_benchmark("audiocaps"), path, None, query="labels")[0].query == "Dog"


def test_only_columns_of_queries_can_be_asked_for(tmp_path: Path) -> None:
    path = table(tmp_path, "idx,caption,labels\n0,a dog barks,Dog\n")
    with pytest.raises(InputError, match="--query-column idx: must be one of caption, labels"):
        read_items(find_benchmark("audiocaps"), path, None, query="idx")


def test_two_items_of_one_name_are_refused(tmp_path: Path) -> None:
    path = table(tmp_path, "idx,caption\n0,rain\n0,siren\n")
    with pytest.raises(InputError, match="idx '0' occurs twice"):
        read_items(find_benchmark("esc50"), path, None)


def test_items_are_chosen_in_the_order_of_the_table() -> None:
    items = [Item(idx, "", "", Recorded(Path("a"), Path("b"))) for idx in "0123"]
    assert choose_items(items, ("3", "1"), None) == [items[1], items[3]]
    assert choose_items(items, ("3", "1"), 1) == [items[1]]
    assert choose_items(items, None, 2) == items[:2]


def test_an_unknown_item_is_named() -> None:
    with pytest.raises(InputError, match="--items 7: no such item"):
        choose_items([Item("0", "", "", Recorded(Path("a"), Path("b")))], ("7",), None)


def test_lengths_are_those_at_the_rate_of_the_network(tmp_path: Path) -> None:
    files = [tone(tmp_path / name, 1.0, 44100) for name in ("r.wav", "m.wav")]
    item = Item("0", "", "", Recorded(*files))
    assert check_items([item], RATE, None, 1) == ({"0": 32000}, {})


def test_a_missing_file_makes_its_item_unusable(tmp_path: Path) -> None:
    items = [recorded(tmp_path, "0"), Item("1", "", "", Recorded(tmp_path / "gone.wav", tmp_path / "0-mixture.wav"))]
    lengths, unusable = check_items(items, RATE, None, 2)
    assert list(lengths) == ["0"]
    assert "gone.wav: no such audio file" in unusable["1"]


def test_mixture_and_reference_must_be_equally_long(tmp_path: Path) -> None:
    item = recorded(tmp_path, "0", (1.0, 0.5))
    (reason,) = check_items([item], RATE, None, 1)[1].values()
    assert reason.endswith("0-mixture.wav: 16000 samples at 32000 Hz, but 0-reference.wav has 32000")
    with pytest.raises(InputError, match=r"0-mixture.wav: 16000 samples, but its reference has 32000"):
        load_item(item, RATE, None)


def test_clips_that_are_mixed_may_differ_in_length(tmp_path: Path) -> None:
    mixture = Mixture(Row(tone(tmp_path / "a.wav", 1.0), "a"), Row(tone(tmp_path / "b.wav", 0.5), "b"))
    assert check_items([Item("0", "a", "a", mixture)], RATE, 2.0, 1) == ({"0": 64000}, {})


def test_the_hash_is_of_both_files_and_of_how_they_are_mixed(tmp_path: Path) -> None:
    source, noise = Row(tone(tmp_path / "a.wav", 1.0), "a"), Row(tone(tmp_path / "b.wav", 0.5), "b")
    mixture = Item("0", "a", "a", Mixture(source, noise, 0.0))
    louder = Item("0", "a", "a", Mixture(source, noise, 6.0))
    swapped = Item("0", "a", "a", Mixture(noise, source, 0.0))
    hashes = {audio_sha256(item, seconds) for item in (mixture, louder, swapped) for seconds in (2.0, 3.0)}
    assert len(hashes) == 6


def test_hashes_leave_out_items_that_cannot_be_read(tmp_path: Path) -> None:
    items = [recorded(tmp_path, "0"), Item("1", "", "", Recorded(tmp_path / "gone.wav", tmp_path / "0-mixture.wav"))]
    assert audio_hashes(items, None, 2) == {"0": audio_sha256(items[0], None)}


def test_every_noise_of_a_mixture_is_checked_and_hashed(tmp_path: Path) -> None:
    clips = [tone(tmp_path / f"{name}.wav", 1.0) for name in "abc"]
    rows = "idx,caption,src_wav,noise_wav,snr_db,noise2_wav\n0,x,a.wav,b.wav,0,c.wav\n1,x,a.wav,b.wav,0,\n"
    three, two = read_items(find_benchmark("custom"), table(tmp_path, rows), None)
    assert (three.files, two.files) == (tuple(clips), tuple(clips[:2]))
    assert audio_sha256(three, 1.0) != audio_sha256(two, 1.0)
    assert load_item(three, RATE, 1.0).mixture.shape == (RATE,)
    clips[2].unlink()
    lengths, unusable = check_items([three, two], RATE, 1.0, workers=1)
    assert (lengths, list(unusable)) == ({"1": RATE}, ["0"])
