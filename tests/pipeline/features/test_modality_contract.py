"""Contract of all registered modalities."""

import json

import numpy as np
import pytest
import scipy.sparse as sp
from safetensors.numpy import load, save

from classifier.pipeline.features.base import Block
from classifier.pipeline.features.extractor import modality_class
from classifier.pipeline.features.modalities import REGISTRY
from classifier.pipeline.records import BookRecord, Catalogue
from tests.pipeline.catalogues import make_catalogue, relabelled, selected


@pytest.fixture(params=REGISTRY)
def new(request, everything):
    """Make an unfitted modality."""
    return lambda: modality_class(request.param).from_config(everything)


@pytest.fixture
def fitted(new, catalogue):
    return new().fit(catalogue, rng=np.random.default_rng(5))


#: How far a book's numbers may depend on the books read with it.
WITHIN = {"sentence": 0.005}


def dense(block: Block) -> np.ndarray:
    values = block.values.toarray() if sp.issparse(block.values) else block.values
    return values.astype(np.float64)


def assert_same(one: Block, other: Block) -> None:
    assert one.spec == other.spec
    assert np.array_equal(one.present, other.present)
    assert np.array_equal(dense(one), dense(other))
    assert (one.links is None) == (other.links is None)
    if one.links is not None:
        assert np.array_equal(one.links.toarray(), other.links.toarray())


def test_block_matches_its_spec(fitted, catalogue):
    block = fitted.block(catalogue)
    assert block.spec == fitted.spec
    assert block.values.shape == (len(catalogue.books), int(np.prod(block.spec.shape)))
    assert block.present.shape == (len(catalogue.books),)
    assert block.present.dtype == bool
    assert isinstance(block.values, sp.csr_matrix) == (block.spec.kind == "sparse")
    assert block.values.dtype == (np.uint8 if block.spec.kind in ("image", "spectrum") else np.float32)
    assert len(block.spec.shape) == {"image": 3, "spectrum": 2}.get(block.spec.kind, 1)
    assert np.isfinite(dense(block)).all()


def test_links_are_shares_of_books_at_fit(fitted, catalogue):
    links = fitted.block(catalogue).links
    if links is None:
        return
    assert links.shape == (len(catalogue.books), len(catalogue.books))
    sums = np.asarray(links.sum(axis=1)).ravel()
    np.testing.assert_allclose(sums, sums > 0, atol=1e-5)
    assert not links.diagonal().any()
    later = fitted.block(selected(catalogue, [3, 5, 4]))
    assert later.links.shape == (3, len(catalogue.books))
    np.testing.assert_allclose(later.links.toarray(), links[[3, 5, 4]].toarray(), atol=1e-6)


def test_block_equals_transform_and_present(fitted, catalogue):
    block = fitted.block(catalogue)
    transformed = Block(
        values=fitted.transform(catalogue),
        present=fitted.present(catalogue),
        spec=fitted.spec,
        links=block.links,
    )
    assert_same(block, transformed)


def test_fit_block_equals_fit_then_block(new, fitted, catalogue):
    assert_same(new().fit_block(catalogue, rng=np.random.default_rng(5)), fitted.block(catalogue))


def test_absent_rows_are_zero(fitted, catalogue):
    block = fitted.block(catalogue)
    assert 0 < np.sum(~block.present) < len(block.present)
    assert not dense(block)[~block.present].any()
    assert dense(block)[block.present].any(axis=1).all()


def test_empty_book_lacks_the_modality(fitted, catalogue):
    block = fitted.block(Catalogue(books=[BookRecord(id="stranger")], loans=catalogue.loans))
    assert block.present.tolist() == [False]
    assert not dense(block).any()


def test_unseen_books_are_transformed(fitted, tmp_path):
    later = make_catalogue(tmp_path, books=12, start=48, seed=8)  # b48 to b59 are known, by other loans
    newest = make_catalogue(tmp_path, books=12, start=60, seed=9)
    for catalogue in (later, Catalogue(books=[*later.books, *newest.books], loans=later.loans)):
        block = fitted.block(catalogue)
        assert block.values.shape == (len(catalogue.books), int(np.prod(fitted.spec.shape)))
        assert block.present.any()


def test_transform_does_not_learn(fitted, catalogue, tmp_path):
    before = fitted.block(catalogue)
    fitted.block(make_catalogue(tmp_path, books=12, start=60, seed=9))
    assert_same(fitted.block(catalogue), before)


def test_state_survives_files(new, fitted, catalogue, tmp_path):
    values, tensors = fitted.state()
    values = json.loads(json.dumps(values, ensure_ascii=False).encode())
    loaded = new().load_state(values, load(save(tensors)))
    assert_same(loaded.block(catalogue), fitted.block(catalogue))
    later = make_catalogue(tmp_path, books=12, start=50, seed=8)
    assert_same(loaded.block(later), fitted.block(later))


def test_categories_do_not_matter(new, fitted, catalogue):
    rng = np.random.default_rng(0)
    shuffled = rng.permutation([book.category or "" for book in catalogue.books]).tolist()
    for categories in (shuffled, [None] * len(shuffled)):
        other = relabelled(catalogue, categories)
        assert_same(new().fit_block(other, rng=np.random.default_rng(5)), fitted.block(catalogue))
        assert_same(fitted.block(other), fitted.block(catalogue))


def test_features_are_reproducible(new, catalogue):
    first, second = (new().fit_block(catalogue, rng=np.random.default_rng(7)) for _ in range(2))
    assert_same(first, second)


def test_single_and_batch_transform_agree(fitted, catalogue):
    together = fitted.block(catalogue)
    for row in range(0, len(catalogue.books), 7):
        alone, among_others = fitted.block(selected(catalogue, [row])), together.take(np.array([row]))
        assert np.array_equal(alone.present, among_others.present)
        # Sums of a pretrained network differ with the batch, and are then rounded.
        np.testing.assert_allclose(dense(alone), dense(among_others), atol=WITHIN.get(fitted.name, 0))


def test_rows_follow_book_order(fitted, catalogue):
    order = np.random.default_rng(1).permutation(len(catalogue.books))
    assert_same(fitted.block(selected(catalogue, order)), fitted.block(catalogue).take(order))


def test_fit_ignores_book_order(new, fitted, catalogue):
    reordered = selected(catalogue, np.random.default_rng(1).permutation(len(catalogue.books)))
    block = new().fit(reordered, rng=np.random.default_rng(5)).block(catalogue)
    before = fitted.block(catalogue)
    assert np.array_equal(block.present, before.present)
    # Columns may change places; what is like what may not.
    likeness, expected = (dense(b) @ dense(b).T for b in (block, before))
    np.testing.assert_allclose(likeness, expected, rtol=1e-5, atol=1e-5)


def test_empty_catalogue_is_harmless(new, catalogue):
    empty = Catalogue(books=[])
    modality = new()
    block = modality.fit_block(empty, rng=np.random.default_rng(5))
    assert block.values.shape == (0, int(np.prod(modality.spec.shape)))
    assert block.present.shape == (0,)
    assert modality.block(catalogue).values.shape == (len(catalogue.books), int(np.prod(modality.spec.shape)))
    assert modality.block(Catalogue(books=[], loans=catalogue.loans)).values.shape[0] == 0


def test_no_books_give_no_rows(fitted):
    block = fitted.block(Catalogue(books=[]))
    assert block.values.shape == (0, int(np.prod(fitted.spec.shape)))
    assert block.present.shape == (0,)


def test_take_accepts_index_and_mask(fitted, catalogue):
    block = fitted.block(catalogue)
    mask = np.arange(len(catalogue.books)) % 3 == 0
    assert_same(block.take(mask), block.take(np.flatnonzero(mask)))
    assert np.array_equal(dense(block.take(mask)), dense(block)[mask])
