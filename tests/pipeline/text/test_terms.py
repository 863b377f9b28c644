"""Attribution of block values to words."""

import dataclasses

import numpy as np
import pytest

from classifier.pipeline.features.modalities.text import TextModality
from classifier.pipeline.records import BookRecord, Catalogue
from tests.pipeline.catalogues import TINY

BOOKS = [
    BookRecord(
        id="a", title="Brot brot", authors="Meier, Anna; Brot", publisher="Brot", description="brot x"
    ),
    BookRecord(
        id="b", title="面包和历史", authors="王小明，李", publisher="商务", description="历史上的面包"
    ),
    BookRecord(id="c"),
    BookRecord(id="d", description="only a description of bread"),
]


def test_credits_of_a_value_sum_to_one():
    text = TextModality(settings=dataclasses.replace(TINY.text, min_books=1))
    catalogue = Catalogue(books=BOOKS)
    text.fit(catalogue, rng=np.random.default_rng(0))
    block, result = text.block_and_words(catalogue)
    assert (block.values != text.transform(catalogue)).nnz == 0
    np.testing.assert_allclose(np.asarray(result.credit.sum(axis=0)).ravel(), 1, rtol=1e-6)
    assert result.credit.min() >= 0
    book_of_value = np.repeat(np.arange(len(BOOKS)), np.diff(block.values.indptr))
    credit = result.credit.tocoo()
    assert np.array_equal(result.book[credit.row], book_of_value[credit.col])
    named = [(int(book), *result.names[term]) for book, term in zip(result.book, result.term, strict=True)]
    assert len(set(named)) == len(named)
    assert {(0, "title", "brot"), (0, "publisher", "brot"), (0, "authors", "meier, anna"),
            (1, "description", "历史"), (3, "description", "bread")} <= set(named)  # fmt: skip
    assert {book for book, _, _ in named} == {0, 1, 3}


def test_word_in_two_fields_is_credited_by_count():
    text = TextModality(settings=dataclasses.replace(TINY.text, min_books=1))
    catalogue = Catalogue(books=[BookRecord(id="a", title="Brot brot", description="brot")])
    text.fit(catalogue, rng=np.random.default_rng(0))
    _block, result = text.block_and_words(catalogue)
    column = text.terms.index("word:brot")
    shares = {result.names[t]: result.credit[i, column] for i, t in enumerate(result.term)}
    nothing = {("title", "brot brot"): 0}
    assert shares == pytest.approx({("title", "brot"): 2 / 3, ("description", "brot"): 1 / 3} | nothing)
    column = text.terms.index("title gram:<br")
    shares = {result.names[t]: result.credit[i, column] for i, t in enumerate(result.term)}
    assert shares == pytest.approx({("title", "brot"): 1, ("description", "brot"): 0} | nothing)
    column = text.terms.index("pair:brot brot")
    shares = {result.names[t]: result.credit[i, column] for i, t in enumerate(result.term)}
    assert shares[("title", "brot brot")] == 1
