"""Registry and feature extraction."""

import numpy as np
import pytest

from classifier.pipeline.config import Config
from classifier.pipeline.errors import PipelineError
from classifier.pipeline.features.extractor import FeatureExtractor, modality_class
from classifier.pipeline.features.modalities import REGISTRY
from classifier.pipeline.records import BookRecord, Catalogue
from tests.pipeline.catalogues import TINY, make_catalogue


def extract(catalogue: Catalogue, config: Config = TINY, **options):
    extractor = FeatureExtractor(config=config)
    return extractor, extractor.fit_transform(catalogue, rng=np.random.default_rng(0), **options)


@pytest.mark.parametrize("name", REGISTRY)
def test_registry_names_match_modality_names(name):
    assert modality_class(name).name == name


@pytest.mark.parametrize(
    "entry",
    [
        "classifier.pipeline.features.modalities.text.TextModality",  # of another name
        "classifier.pipeline.features.modalities.text.TermGroups",
        "classifier.pipeline.features.modalities.text.normalize",
    ],
)
def test_invalid_registry_entry_is_rejected(monkeypatch, entry):
    monkeypatch.setitem(REGISTRY, "smell", entry)
    with pytest.raises(PipelineError, match=r"REGISTRY\['smell'\] is not a Modality"):
        modality_class("smell")


def test_blocks_follow_registry_order(catalogue, everything):
    extractor, blocks = extract(catalogue, everything)
    assert list(blocks) == list(extractor.modalities_) == list(REGISTRY)
    again = extractor.transform(catalogue)
    for name, block in blocks.items():
        assert block.spec == again[name].spec
        assert np.array_equal(block.present, again[name].present)


@pytest.mark.parametrize(
    ("lacking", "left"),
    [
        ("cover", ["text", "loans", "audio"]),
        ("loans", ["text", "cover", "audio"]),
        ("text", ["cover", "loans", "audio"]),
        ("audio", ["text", "cover", "loans"]),
    ],
)
def test_absent_modality_has_no_block(tmp_path, lacking, left):
    catalogue = make_catalogue(tmp_path, books=20, covers=lacking != "cover", audio=lacking != "audio")
    books, loans = list(catalogue.books), catalogue.loans
    if lacking == "text":
        books = [BookRecord(id=book.id, cover=book.cover, audio=book.audio) for book in books]
    if lacking == "loans":
        loans = Catalogue(books=[]).loans
    extractor, blocks = extract(Catalogue(books=books, loans=loans))
    assert list(blocks) == left
    assert list(extractor.transform(catalogue)) == left  # what was not learned is not read later
    assert list(extractor.state()) == left


def test_empty_books_have_no_blocks():
    _, blocks = extract(Catalogue(books=[BookRecord(id="1"), BookRecord(id="2")]))
    assert blocks == {}


def test_progress_reaches_the_end(catalogue):
    reported = []
    extract(catalogue, progress=lambda *step: reported.append(step))
    assert reported == [("reading books", done, len(REGISTRY)) for done in range(len(REGISTRY) + 1)]
