"""The feature cache in feature extraction."""

import dataclasses
import sqlite3

import numpy as np
import pytest
import scipy.sparse as sp

from classifier.pipeline.features.cache import FeatureCache, content_key
from classifier.pipeline.features.extractor import FeatureExtractor
from classifier.pipeline.features.modalities import cover, sentence, text
from classifier.pipeline.records import BookRecord, Catalogue
from tests.pipeline.features.blocked_paths import block_path


def extract(catalogue: Catalogue, config, cache=None):
    extractor = FeatureExtractor(config=config, cache=cache)
    blocks = extractor.fit_transform(catalogue, rng=np.random.default_rng(0))
    return extractor, blocks


def assert_same_blocks(one, other):
    assert one.keys() == other.keys()
    for name, block in one.items():
        values = [b.values.toarray() if sp.issparse(b.values) else b.values for b in (block, other[name])]
        assert np.array_equal(*values)
        assert np.array_equal(block.present, other[name].present)


def test_cache_changes_no_feature(catalogue, everything, file):
    plain_extractor, plain = extract(catalogue, everything)
    first, second = FeatureCache(file), FeatureCache(file)
    extractor, computed = extract(catalogue, everything, first)
    _, remembered = extract(catalogue, everything, second)
    assert_same_blocks(computed, plain)
    assert_same_blocks(remembered, plain)
    assert extractor.modalities_["text"].terms == plain_extractor.modalities_["text"].terms
    distinct = {book.cover.read_bytes() for book in catalogue.books if book.cover}
    distinct |= {(book.title, book.authors, book.publisher, book.description) for book in catalogue.books}
    assert first.misses > len(distinct)
    assert second.misses == 0
    assert second.hits == first.hits + first.misses

    extractor.cache = third = FeatureCache(file)
    assert_same_blocks(extractor.transform(catalogue), plain_extractor.transform(catalogue))
    assert third.misses == 0


def test_only_changed_book_is_read_again(catalogue, everything, file):
    extract(catalogue, everything, FeatureCache(file))
    books = list(catalogue.books)
    books[5] = dataclasses.replace(books[5], description="All new")
    books[6] = dataclasses.replace(books[6], category="other", id="of another number", year=1)
    cache = FeatureCache(file)
    extract(Catalogue(books=books, loans=catalogue.loans), everything, cache)
    assert cache.misses == 2  # its words, and the vector of its text


@pytest.mark.parametrize("module", [text, cover, sentence])
def test_changed_code_invalidates_its_features(catalogue, everything, file, monkeypatch, module):
    first = FeatureCache(file)
    extract(catalogue, everything, first)
    monkeypatch.setattr(module, "_SOURCE_KEY", content_key("other code"))
    second = FeatureCache(file)
    extract(catalogue, everything, second)
    assert 10 < second.misses < first.misses


def test_changed_cover_size_invalidates_pixels(catalogue, everything, file):
    extract(catalogue, everything.with_settings(["cover.features=pixels"]), FeatureCache(file))
    cache = FeatureCache(file)
    extract(catalogue, everything.with_settings(["cover.features=pixels", "cover.width=18"]), cache)
    assert cache.misses == len({book.cover for book in catalogue.books if book.cover})


def test_unreadable_cover_is_cached(tmp_path, everything, file):
    (tmp_path / "cover.png").write_bytes(b"no picture")
    books = Catalogue(books=[BookRecord(id="1", title="soup", cover=tmp_path / "cover.png")])
    extract(books, everything, FeatureCache(file))
    cache = FeatureCache(file)
    _, blocks = extract(books, everything, cache)
    assert "cover" not in blocks
    assert cache.misses == 0


def test_cache_problems_appear_in_extractor_notes(catalogue, everything, file):
    block_path(file)
    extractor, blocks = extract(catalogue, everything, FeatureCache(file))
    assert_same_blocks(blocks, extract(catalogue, everything)[1])
    (note,) = extractor.notes
    assert "cannot be used" in note


def test_few_books_bypass_the_cache(catalogue, everything, file):
    extractor, _ = extract(Catalogue(books=[BookRecord(id="1", title="soup")] * 5), everything, None)
    extractor.modalities_ = {"text": extractor.modalities_["text"]}
    extractor.cache = FeatureCache(file)
    extractor.transform(Catalogue(books=catalogue.books[:1]))
    assert not file.exists()


def test_keys_reveal_no_book(catalogue, everything, file):
    extract(catalogue, everything, FeatureCache(file))
    with sqlite3.connect(file) as database:
        result = [key for (key,) in database.execute("SELECT key FROM value UNION SELECT key FROM used")]
    database.close()
    assert {len(key) for key in result} == {32}
    assert len(set(b"".join(result))) == 256  # no text has all bytes
