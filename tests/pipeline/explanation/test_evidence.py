"""Evidence for suggestions: consistent with the model's own scores."""

import dataclasses
import json
from dataclasses import replace
from itertools import combinations, pairwise, permutations

import numpy as np
import pytest

from classifier.pipeline.evidence import Evidence
from classifier.pipeline.explanation.evidence import (
    MAX_CO_BORROWED,
    MAX_NEAREST_BOOKS,
    MAX_TERMS_AGAINST,
    MAX_TERMS_FOR,
    modality_contributions,
)
from classifier.pipeline.features.extractor import FeatureExtractor
from classifier.pipeline.records import BookRecord, Catalogue
from classifier.pipeline.storage.artifact import load_model, save_model
from classifier.pipeline.text.normalization import normalize
from classifier.pipeline.text.tokenization import tokenize
from classifier.pipeline.training.train import train
from tests.pipeline.catalogues import TINY, make_catalogue, selected
from tests.pipeline.explanation.top_ranked import top_three

MODALITIES = ["text", "cover", "loans", "audio"]
SUBSETS = [s for size in range(len(MODALITIES) + 1) for s in combinations(range(len(MODALITIES)), size)]


@pytest.fixture(scope="module")
def explained(model, catalogue):
    return model.explain(catalogue)


def hidden(books, kept):
    """The books with only these modalities."""
    present = np.isin(np.arange(len(MODALITIES)), kept)
    return replace(books, present=books.present & present)


def value(classifier, books, row, shown, category):
    members = np.isin(np.arange(len(MODALITIES)), shown)
    part = books.take(np.array([row]))
    return classifier.scores(part, shown=members[None, :])[0, category]


@pytest.mark.parametrize("kept", SUBSETS)
def test_baseline_and_contributions_sum_to_the_score(model, books, kept):
    part = hidden(books, kept)
    scores = model.serving_classifier.scores(part)
    result = modality_contributions(model.serving_classifier, part, scores, top_three(scores))
    total = result.baseline + result.contributions.sum(axis=1)
    np.testing.assert_allclose(total, np.take_along_axis(scores, top_three(scores), axis=1), atol=1e-6)
    assert (result.contributions[~part.present] == 0).all()
    assert ((result.predicted >= 0) == part.present).all()


def test_contribution_is_the_shapley_value(model, books):
    assert model.serving_classifier.modalities_ == MODALITIES
    scores = model.serving_classifier.scores(books)
    category = scores.argmax(axis=1)
    result = modality_contributions(model.serving_classifier, books, scores, category[:, None])
    for row in (1, 2, 5, 11):  # with everything, and with this or that missing
        present = np.flatnonzero(books.present[row]).tolist()
        for position in present:
            added = []
            for order in permutations(present):
                before = order[: order.index(position)]
                shown = [
                    value(model.serving_classifier, books, row, s, category[row])
                    for s in (before, (*before, position))
                ]
                added.append(shown[1] - shown[0])
            assert result.contributions[row, position, 0] == pytest.approx(np.mean(added), abs=1e-6)


def test_modality_predictions_equal_solo_scores(model, books):
    scores = model.serving_classifier.scores(books)
    result = modality_contributions(model.serving_classifier, books, scores, top_three(scores))
    for position in range(len(MODALITIES)):
        rows = books.present[:, position]
        only = np.arange(len(MODALITIES)) == position
        alone = scores.copy()
        # Hidden modalities of as many books: sums over other batches are rounded differently.
        hiding = np.flatnonzero(rows & (books.present.sum(axis=1) > 1))
        alone[hiding] = model.serving_classifier.scores(books.take(hiding), shown=only[None, :])
        alone = alone[rows]
        assert np.array_equal(result.predicted[rows, position], alone.argmax(axis=1))
        likely = model.serving_classifier.temperature_.probabilities(alone)
        np.testing.assert_allclose(result.confidence[rows, position], likely.max(axis=1), rtol=1e-9)


def words_of_field(book, field):
    text = f"{book.title} {book.subtitle}" if field == "title" else getattr(book, field)
    return tokenize(normalize(text))


def all_words(book):
    return [
        (field, w)
        for field in ("title", "authors", "publisher", "description")
        for w in words_of_field(book, field)
    ]


def without(book, removed):
    kept = {
        field: " ".join(w for w in words_of_field(book, field) if (field, w) not in removed)
        for field in ("title", "authors", "publisher", "description")
    }
    return dataclasses.replace(book, subtitle="", **kept)


def test_removing_named_terms_costs_most(tmp_path):
    catalogue = make_catalogue(tmp_path, books=120, covers=False, audio=False)
    model = train(catalogue, config=TINY, seed=1).model
    with_text = [book for book in catalogue.books if book.title]
    plain = Catalogue(books=[without(book, set()) for book in with_text], loans=catalogue.loans)
    best = [s for s in model.explain(plain) if s.rank == 1]
    named = [[term[:2] for term in s.evidence.terms_for if " " not in term.term][:3] for s in best]

    def scores(removed):
        part = [without(book, set(of)) for book, of in zip(plain.books, removed, strict=True)]
        books = model.serving_classifier.encode(
            model.extractor.transform(Catalogue(books=part, loans=catalogue.loans))
        )
        columns = [model.classes.index(s.category) for s in best]
        return model.serving_classifier.scores(books)[np.arange(len(part)), columns]

    before = scores([[] for _ in best])
    rng = np.random.default_rng(0)
    lost_by_others = []
    for _ in range(5):
        drawn = []
        for book, of in zip(plain.books, named, strict=True):
            pool = sorted(set(all_words(book)))
            drawn.append([pool[i] for i in rng.choice(len(pool), min(len(of), len(pool)), replace=False)])
        lost_by_others.append(np.mean(before - scores(drawn)))
    lost = np.mean(before - scores(named))
    assert lost > 2 * np.mean(lost_by_others) > 0
    assert lost > max(lost_by_others) * 1.5


def test_evidence_survives_json(model, catalogue, explained):
    suggested = model.suggest(catalogue)
    assert [dataclasses.replace(s, evidence=None) for s in explained] == suggested
    for suggestion in explained:
        evidence = json.loads(json.dumps(suggestion.evidence.to_json(), allow_nan=False))
        assert list(evidence) == [
            "score", "baseline", "contributions", "terms", "modality_predictions", "modalities_disagree",
            "excluded_modalities", "nearest_books", "co_borrowed",
        ]  # fmt: skip
        total = evidence["baseline"] + sum(evidence["contributions"].values())
        assert total == pytest.approx(evidence["score"], abs=4e-4)
        assert list(evidence["contributions"]) == list(evidence["modality_predictions"])
        predicted = {category for category, _ in evidence["modality_predictions"].values()}
        assert evidence["modalities_disagree"] == (len(predicted) > 1)
        assert json.loads(json.dumps(Evidence.from_json(evidence).to_json())) == evidence


def test_excluded_modalities_are_listed(model, catalogue):
    everything = tuple(model.serving_classifier.modalities_)
    fewer = tuple(name for name in everything if name != "cover")
    kept = model.serving_classifier.modalities_used_
    model.serving_classifier.modalities_used_ = {names: names for names in kept} | {everything: fewer}
    try:
        explained = model.explain(catalogue)
    finally:
        model.serving_classifier.modalities_used_ = kept
    for suggestion in explained:
        whole = set(suggestion.evidence.contributions) == set(everything)
        assert suggestion.evidence.excluded_modalities == (("cover",) if whole else ())
    assert any(suggestion.evidence.excluded_modalities for suggestion in explained)


def test_terms_occur_in_their_field_strongest_first(catalogue, explained):
    book = {book.id: book for book in catalogue.books}
    named = 0
    for suggestion in explained:
        evidence = suggestion.evidence
        for terms, sign, limit in (
            (evidence.terms_for, 1, MAX_TERMS_FOR),
            (evidence.terms_against, -1, MAX_TERMS_AGAINST),
        ):
            assert len(terms) <= limit
            assert all(sign * term.contribution > 0 for term in terms)
            assert all(sign * a.contribution >= sign * b.contribution for a, b in pairwise(terms))
            for term in terms:
                assert set(tokenize(term.term)) <= set(words_of_field(book[suggestion.book], term.field))
            named += len(terms)
    assert named > 3 * len(catalogue.books)


def test_nearest_books_are_other_categorised_books(catalogue, explained):
    category = {book.id: book.category for book in catalogue.books}
    seen = {"cover": [], "audio": []}
    for suggestion in explained:
        assert set(suggestion.evidence.nearest_books) == set(suggestion.evidence.contributions) & set(seen)
        for name, near in suggestion.evidence.nearest_books.items():
            assert len(near) == MAX_NEAREST_BOOKS
            assert suggestion.book not in {book for book, _, _ in near}
            assert all(category[book] == of for book, of, _ in near)
            assert all(1 >= a[2] >= b[2] >= -1 for a, b in pairwise(near))
            seen[name] += [of == suggestion.category for _, of, _ in near if suggestion.rank == 1]
    assert np.mean(seen["cover"]) > 0.8


def test_co_borrowed_titles_are_predicted_in_the_category(model, catalogue, blocks, explained):
    row = {book.id: i for i, book in enumerate(catalogue.books)}
    best = [model.classes[c] for c in model.serving_classifier.beliefs_.argmax(axis=1)]
    links = blocks["loans"].links.toarray()
    for suggestion in explained:
        co_borrowed = suggestion.evidence.co_borrowed
        weights = links[row[suggestion.book]]
        agreeing = {j: w for j, w in enumerate(weights) if w > 0 and best[j] == suggestion.category}
        assert co_borrowed.share == pytest.approx(sum(agreeing.values()), abs=1e-4)
        assert [w for _, w in co_borrowed.books] == pytest.approx(
            sorted(agreeing.values(), reverse=True)[:MAX_CO_BORROWED], abs=1e-4
        )
        assert {row[book] for book, _ in co_borrowed.books} <= set(agreeing)


def test_evidence_ignores_other_books_in_the_batch(model, catalogue, explained):
    for i in (0, 1, 5, 10):
        alone = model.explain(selected(catalogue, [i]))
        for one, other in zip(alone, explained[3 * i : 3 * i + 3], strict=True):
            assert one.category == other.category
            assert one.evidence.contributions == pytest.approx(other.evidence.contributions, abs=2e-4)
            for name in ("terms_for", "terms_against"):
                ours, others = (
                    {(t.field, t.term): t.contribution for t in getattr(s.evidence, name)}
                    for s in (one, other)
                )
                assert ours == pytest.approx(others, abs=2e-4)
            assert one.evidence.co_borrowed == other.evidence.co_borrowed


def test_empty_book_scores_the_baseline(model):
    best = model.explain(Catalogue(books=[BookRecord(id="new")]))[0]
    assert best.evidence.to_json() == {
        "score": best.evidence.baseline,
        "baseline": best.evidence.baseline,
        "contributions": {},
        "terms": {"for": [], "against": []},
        "modality_predictions": {},
        "modalities_disagree": False,
        "excluded_modalities": (),
        "nearest_books": {},
        "co_borrowed": {"share": 0.0, "books": []},
    }


def test_no_books_have_no_evidence(model):
    assert model.explain(Catalogue(books=[])) == []


def test_single_modality_contributes_everything(tmp_path):
    catalogue = make_catalogue(tmp_path, covers=False, audio=False)
    catalogue = Catalogue(books=catalogue.books)
    model = train(catalogue, config=TINY, seed=0).model
    for suggestion in model.explain(catalogue):
        evidence = suggestion.evidence
        if evidence.contributions:
            assert evidence.contributions["text"] == pytest.approx(
                evidence.score - evidence.baseline, abs=2e-4
            )
            if suggestion.rank == 1:
                expected = {"text": (suggestion.category, round(suggestion.probability, 4))}
                assert evidence.modality_predictions == expected


def test_loaded_model_gives_the_same_evidence(model, catalogue, explained, tmp_path):
    save_model(model, tmp_path / "model")
    assert load_model(tmp_path / "model").explain(catalogue) == explained


def test_only_covers_and_recordings_are_indexed(model, catalogue, everything):
    assert list(model.training_index.rows) == ["cover", "audio"]
    assert model.training_index.ids == [book.id for book in catalogue.books]
    extractor = FeatureExtractor(config=everything)
    extractor.fit_transform(catalogue, rng=np.random.default_rng(0))
    shown = [name for name, modality in extractor.modalities_.items() if modality.shows_nearest]
    assert shown == ["cover", "audio"]
