"""Why a category is suggested: that the reasons are the model's own."""

import dataclasses
import json
from itertools import combinations, pairwise, permutations

import numpy as np
import pytest
import torch

from classifier.pipeline.explanation.attribution import term_gains
from classifier.pipeline.explanation.evidence import AGAINST, BORROWED, FOR, NEAREST, modality_shares
from classifier.pipeline.explanation.training_index import Gallery
from classifier.pipeline.features.extractor import FeatureExtractor
from classifier.pipeline.features.modalities.text import TextModality
from classifier.pipeline.fusion.classifier import FusionClassifier, shares
from classifier.pipeline.fusion.cross_fitting import Encoded
from classifier.pipeline.records import BookRecord, Catalogue
from classifier.pipeline.storage.artifact import load_model, save_model
from classifier.pipeline.suggestion import best_categories
from classifier.pipeline.text.tokenization import clean, words
from classifier.pipeline.training.train import train
from tests.pipeline.catalogues import TINY, make_catalogue, selected

MODALITIES = ["text", "cover", "loans", "audio"]
SUBSETS = [s for size in range(len(MODALITIES) + 1) for s in combinations(range(len(MODALITIES)), size)]


@pytest.fixture(scope="module")
def model(trained):
    return trained.model


@pytest.fixture(scope="module")
def blocks(model, catalogue):
    return model.extractor.transform(catalogue)


@pytest.fixture(scope="module")
def books(model, blocks):
    return model.serving.encode(blocks)


@pytest.fixture(scope="module")
def explained(model, catalogue):
    return model.explain(catalogue)


@pytest.fixture(scope="module")
def rbf(model, blocks, catalogue):
    """A classifier of the same books with another kernel."""
    y = np.array([model.classes.index(b.category) if b.category else -1 for b in catalogue.books])
    config = TINY.with_settings(["svm.kernel=rbf"])
    return FusionClassifier(config=config, seed=3).fit(blocks, y, n_classes=len(model.classes))


def hidden(books, kept):
    """The books with only these modalities."""
    there = np.isin(np.arange(len(MODALITIES)), kept)
    return Encoded(codes=books.codes, linked=books.linked, present=books.present & there)


def asked(scores):
    return best_categories(scores, ranks=3)


def value(classifier, books, row, shown, category):
    members = np.isin(np.arange(len(MODALITIES)), shown)
    part = books.take(np.array([row]))
    return classifier.scores(part, shown=members[None, :])[0, category]


@pytest.mark.parametrize("kept", SUBSETS)
def test_baseline_and_shares_sum_to_the_decision_whatever_is_known(model, books, kept):
    part = hidden(books, kept)
    scores = model.serving.scores(part)
    found = modality_shares(model.serving, part, scores, asked(scores))
    total = found.baseline + found.shares.sum(axis=1)
    np.testing.assert_allclose(total, np.take_along_axis(scores, asked(scores), axis=1), atol=1e-6)
    assert (found.shares[~part.present] == 0).all()
    assert ((found.alone >= 0) == part.present).all()


def test_baseline_and_shares_sum_to_the_decision_of_another_kernel(rbf, books):
    scores = rbf.scores(books)
    found = modality_shares(rbf, books, scores, asked(scores))
    total = found.baseline + found.shares.sum(axis=1)
    np.testing.assert_allclose(total, np.take_along_axis(scores, asked(scores), axis=1), atol=1e-6)


def test_a_share_is_the_mean_of_what_the_modality_adds_in_every_order(model, books):
    assert model.serving.modalities_ == MODALITIES
    scores = model.serving.scores(books)
    category = scores.argmax(axis=1)
    found = modality_shares(model.serving, books, scores, category[:, None])
    for row in (1, 2, 5, 11):  # with everything, and with this or that missing
        present = np.flatnonzero(books.present[row]).tolist()
        for position in present:
            added = []
            for order in permutations(present):
                before = order[: order.index(position)]
                shown = [
                    value(model.serving, books, row, s, category[row]) for s in (before, (*before, position))
                ]
                added.append(shown[1] - shown[0])
            assert found.shares[row, position, 0] == pytest.approx(np.mean(added), abs=1e-6)


def test_each_modality_says_what_it_would_answer_alone(model, books):
    scores = model.serving.scores(books)
    found = modality_shares(model.serving, books, scores, asked(scores))
    for position in range(len(MODALITIES)):
        rows = books.present[:, position]
        only = np.arange(len(MODALITIES)) == position
        alone = model.serving.scores(books, shown=only[None, :])[rows]
        assert np.array_equal(found.alone[rows, position], alone.argmax(axis=1))
        likely = model.serving.temperature_.probabilities(alone)
        np.testing.assert_allclose(found.sureness[rows, position], likely.max(axis=1), rtol=1e-9)


def differentiable(classifier, books, codes, names):
    """Return the scores of books that one machine judges, in torch, of the codes given."""
    n = len(books.present)
    seen = {name: torch.full((n,), name in names) for name in classifier.modalities_}
    said = [
        torch.log_softmax(network.module_.read(of, seen), dim=2)
        for network, of in zip(classifier.networks_, codes, strict=True)
    ]
    votes = torch.log_softmax(torch.stack(said).mean(dim=0), dim=2)
    machine = classifier.machines_[names]
    found = machine.vote_weight_ * votes[:, 0]
    if classifier.config.svm.kernel == "linear":
        parts = [torch.exp(votes[:, 0] / 2)]
        parts += [torch.exp(votes[:, 1 + classifier.modalities_.index(name)] / 2) for name in names]
        parts += [torch.tensor(np.sqrt(shares(books.linked[n]))) for n in names if n in books.linked]
        svc = machine.machine_
        X = torch.cat([part.float() for part in parts], dim=1)
        values = X @ torch.tensor(svc.coef_).float().T + torch.tensor(svc.intercept_).float()
        if values.shape[1] == 1:
            values = torch.cat([-values, values], dim=1)
        every = (values.amin(dim=1, keepdim=True).clamp(max=0) - 1).repeat(1, machine.n_classes_)
        every[:, torch.tensor(svc.classes_)] = values
        found = found + machine.svm_weight_ * every
    return found - found.mean(dim=1, keepdim=True)


def scaled(books, share):
    """Return the codes as tensors, those of the text a share of the way."""
    return [
        {name: torch.from_numpy(code) * (share if name == "text" else 1) for name, code in network.items()}
        for network in books.codes
    ]


def judged_by_text(classifier, books):
    """Yield the modalities of each machine that judges by text, and the rows that it judges."""
    owner = classifier.machine_of(books.present)
    for number, names in enumerate(classifier.machines_):
        rows = np.flatnonzero(owner == number)
        if "text" in names and len(rows):
            yield names, rows


def test_what_is_differentiated_is_the_score_that_decides(model, books):
    for names, rows in judged_by_text(model.serving, books):
        part = books.take(rows)
        with torch.no_grad():
            found = differentiable(model.serving, part, scaled(part, 1), names).numpy()
        np.testing.assert_allclose(found, model.serving.scores(part), atol=1e-4)


@pytest.fixture(scope="module")
def fewer(model, blocks, catalogue):
    """A classifier of another structure that knows of four categories and has learned of two."""
    known = [{"cooking": 1, "physics": 3}.get(book.category, -1) for book in catalogue.books]
    config = TINY.with_settings(["network.fusion=attention", "network.hidden=8", "network.activation=silu"])
    return FusionClassifier(config=config, seed=4).fit(blocks, np.array(known), n_classes=4)


@pytest.mark.parametrize("kind", ["linear", "rbf", "fewer"])
def test_gains_are_what_torch_finds_for_the_mean_of_two_points(kind, model, rbf, fewer, blocks, books):
    classifier = {"linear": model.serving, "rbf": rbf, "fewer": fewer}[kind]
    books = classifier.encode(blocks)
    categories = asked(classifier.scores(books))
    values = blocks["text"].values
    gains = term_gains(classifier, books, values, categories, name="text")
    expected = np.zeros_like(gains)
    for names, rows in judged_by_text(classifier, books):
        part = books.take(rows)
        for share in ((1 - 3**-0.5) / 2, (1 + 3**-0.5) / 2):
            codes = scaled(part, share)
            starts = [network["text"].requires_grad_() for network in codes]
            found = differentiable(classifier, part, codes, names)
            for rank in range(categories.shape[1]):
                of_rank = found.gather(1, torch.from_numpy(categories[rows, rank : rank + 1])).sum()
                slopes = torch.autograd.grad(of_rank, starts, retain_graph=True)
                for network, slope in zip(classifier.networks_, slopes, strict=True):
                    table = network.module_.encoders["text"].table
                    for row, of in zip(rows, slope, strict=True):
                        own = slice(values.indptr[row], values.indptr[row + 1])
                        weighed = torch.from_numpy(values.data[own]) * (table[values.indices[own]] @ of)
                        expected[own, rank] += weighed.numpy() / 2
    assert np.abs(expected).max() > 0.005
    np.testing.assert_allclose(gains, expected, atol=1e-6)


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_the_gains_of_all_terms_sum_to_what_the_text_adds_on_the_path(kernel, model, rbf, blocks, books):
    classifier = {"linear": model.serving, "rbf": rbf}[kernel]
    categories = asked(classifier.scores(books))
    values = blocks["text"].values
    gains = term_gains(classifier, books, values, categories, name="text")
    assert gains.shape == (values.nnz, 3)
    for names, rows in judged_by_text(classifier, books):
        rows = rows[books.present[rows, 0]]
        part = books.take(rows)
        with torch.no_grad():
            added = differentiable(classifier, part, scaled(part, 1), names)
            added = (added - differentiable(classifier, part, scaled(part, 0), names)).numpy()
        for row, gain in zip(rows, np.take_along_axis(added, categories[rows], axis=1), strict=True):
            total = gains[values.indptr[row] : values.indptr[row + 1]].sum(axis=0)
            np.testing.assert_allclose(total, gain, atol=0.05 + 0.02 * np.abs(gain).max())


def spoken(book, field):
    text = f"{book.title} {book.subtitle}" if field == "title" else getattr(book, field)
    return words(clean(text))


def all_words(book):
    return [
        (field, w) for field in ("title", "authors", "publisher", "description") for w in spoken(book, field)
    ]


def without(book, removed):
    kept = {
        field: " ".join(w for w in spoken(book, field) if (field, w) not in removed)
        for field in ("title", "authors", "publisher", "description")
    }
    return dataclasses.replace(book, subtitle="", **kept)


def test_removing_the_words_named_costs_more_than_removing_others(tmp_path):
    catalogue = make_catalogue(tmp_path, books=120, covers=False, audio=False)
    model = train(catalogue, config=TINY, seed=1).model
    with_text = [book for book in catalogue.books if book.title]
    plain = Catalogue(books=[without(book, set()) for book in with_text], loans=catalogue.loans)
    best = [s for s in model.explain(plain) if s.rank == 1]
    named = [[(field, w) for field, w, _gain in s.evidence["terms"]["for"] if " " not in w][:3] for s in best]

    def scores(removed):
        part = [without(book, set(of)) for book, of in zip(plain.books, removed, strict=True)]
        books = model.serving.encode(model.extractor.transform(Catalogue(books=part, loans=catalogue.loans)))
        columns = [model.classes.index(s.category) for s in best]
        return model.serving.scores(books)[np.arange(len(part)), columns]

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


def test_evidence_is_small_json_that_repeats_what_the_model_decided(model, catalogue, explained):
    suggested = model.suggest(catalogue)
    assert [dataclasses.replace(s, evidence={}) for s in explained] == suggested
    for suggestion in explained:
        evidence = json.loads(json.dumps(suggestion.evidence, allow_nan=False))
        assert list(evidence) == [
            "decision", "baseline", "shares", "terms", "says", "disagree", "left_out", "nearest",
            "borrowed_with",
        ]  # fmt: skip
        total = evidence["baseline"] + sum(evidence["shares"].values())
        assert total == pytest.approx(evidence["decision"], abs=4e-4)
        assert list(evidence["shares"]) == list(evidence["says"])
        assert evidence["disagree"] == (len({category for category, _ in evidence["says"].values()}) > 1)


def test_a_modality_that_books_are_judged_better_without_is_said_to_be_left_out(model, catalogue):
    everything = tuple(model.serving.modalities_)
    fewer = tuple(name for name in everything if name != "cover")
    kept = model.serving.uses_
    model.serving.uses_ = {names: names for names in kept} | {everything: fewer}
    try:
        explained = model.explain(catalogue)
    finally:
        model.serving.uses_ = kept
    for suggestion in explained:
        whole = set(suggestion.evidence["shares"]) == set(everything)
        assert suggestion.evidence["left_out"] == (["cover"] if whole else [])
    assert any(suggestion.evidence["left_out"] for suggestion in explained)


def test_the_words_named_stand_in_the_field_named_the_loudest_first(catalogue, explained):
    book = {book.id: book for book in catalogue.books}
    named = 0
    for suggestion in explained:
        for key, sign, most in (("for", 1, FOR), ("against", -1, AGAINST)):
            terms = suggestion.evidence["terms"][key]
            assert len(terms) <= most
            assert all(sign * gain > 0 for _, _, gain in terms)
            assert all(sign * a[2] >= sign * b[2] for a, b in pairwise(terms))
            for field, word, _gain in terms:
                assert set(words(word)) <= set(spoken(book[suggestion.book], field))
            named += len(terms)
    assert named > 3 * len(catalogue.books)


def test_the_nearest_covers_and_recordings_are_of_other_categorised_books(catalogue, explained):
    category = {book.id: book.category for book in catalogue.books}
    seen = {"cover": [], "audio": []}
    for suggestion in explained:
        assert set(suggestion.evidence["nearest"]) == set(suggestion.evidence["shares"]) & set(seen)
        for name, near in suggestion.evidence["nearest"].items():
            assert len(near) == NEAREST
            assert suggestion.book not in {book for book, _, _ in near}
            assert all(category[book] == of for book, of, _ in near)
            assert all(1 >= a[2] >= b[2] >= -1 for a, b in pairwise(near))
            seen[name] += [of == suggestion.category for _, of, _ in near if suggestion.rank == 1]
    assert np.mean(seen["cover"]) > 0.8


def test_the_co_borrowed_titles_named_are_those_taken_to_be_of_the_category(
    model, catalogue, blocks, explained
):
    row = {book.id: i for i, book in enumerate(catalogue.books)}
    best = [model.classes[c] for c in model.serving.beliefs_.argmax(axis=1)]
    links = blocks["loans"].links.toarray()
    for suggestion in explained:
        found = suggestion.evidence["borrowed_with"]
        weights = links[row[suggestion.book]]
        agreeing = {j: w for j, w in enumerate(weights) if w > 0 and best[j] == suggestion.category}
        assert found["agree"] == pytest.approx(sum(agreeing.values()), abs=1e-4)
        assert [w for _, w in found["books"]] == pytest.approx(
            sorted(agreeing.values(), reverse=True)[:BORROWED], abs=1e-4
        )
        assert {row[book] for book, _ in found["books"]} <= set(agreeing)


def test_what_a_book_gets_hangs_not_on_the_books_beside_it(model, catalogue, explained):
    for i in (0, 1, 5, 10):
        alone = model.explain(selected(catalogue, [i]))
        for one, other in zip(alone, explained[3 * i : 3 * i + 3], strict=True):
            assert one.category == other.category
            assert one.evidence["shares"] == pytest.approx(other.evidence["shares"], abs=2e-4)
            for key in ("for", "against"):
                gains = {(f, w): g for f, w, g in other.evidence["terms"][key]}
                assert {(f, w): g for f, w, g in one.evidence["terms"][key]} == pytest.approx(gains, abs=2e-4)
            assert one.evidence["borrowed_with"] == other.evidence["borrowed_with"]


def test_of_a_book_nothing_is_known_of_the_baseline_decides(model):
    best = model.explain(Catalogue(books=[BookRecord(id="new")]))[0]
    assert best.evidence == {
        "decision": best.evidence["baseline"],
        "baseline": best.evidence["baseline"],
        "shares": {},
        "terms": {"for": [], "against": []},
        "says": {},
        "disagree": False,
        "left_out": [],
        "nearest": {},
        "borrowed_with": {"agree": 0.0, "books": []},
    }


def test_no_books_have_no_evidence(model):
    assert model.explain(Catalogue(books=[])) == []


def test_with_one_modality_only_it_has_the_whole_share(tmp_path):
    catalogue = make_catalogue(tmp_path, covers=False, audio=False)
    catalogue = Catalogue(books=catalogue.books)
    model = train(catalogue, config=TINY, seed=0).model
    for suggestion in model.explain(catalogue):
        evidence = suggestion.evidence
        if evidence["shares"]:
            assert evidence["shares"]["text"] == pytest.approx(
                evidence["decision"] - evidence["baseline"], abs=2e-4
            )
            if suggestion.rank == 1:
                assert evidence["says"] == {"text": (suggestion.category, round(suggestion.probability, 4))}


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


def test_each_value_is_credited_to_words_of_the_book_and_in_whole():
    text = TextModality(settings=dataclasses.replace(TINY.text, min_books=1))
    catalogue = Catalogue(books=BOOKS)
    text.fit(catalogue, rng=np.random.default_rng(0))
    block, found = text.block_and_words(catalogue)
    assert (block.values != text.transform(catalogue)).nnz == 0
    np.testing.assert_allclose(np.asarray(found.credit.sum(axis=0)).ravel(), 1, rtol=1e-6)
    assert found.credit.min() >= 0
    book_of_value = np.repeat(np.arange(len(BOOKS)), np.diff(block.values.indptr))
    credit = found.credit.tocoo()
    assert np.array_equal(found.book[credit.row], book_of_value[credit.col])
    named = [(int(book), *found.names[term]) for book, term in zip(found.book, found.term, strict=True)]
    assert len(set(named)) == len(named)
    assert {(0, "title", "brot"), (0, "publisher", "brot"), (0, "authors", "meier, anna"),
            (1, "description", "历史"), (3, "description", "bread")} <= set(named)  # fmt: skip
    assert {book for book, _, _ in named} == {0, 1, 3}


def test_a_word_in_two_fields_shares_by_how_often_it_stands_in_each():
    text = TextModality(settings=dataclasses.replace(TINY.text, min_books=1))
    catalogue = Catalogue(books=[BookRecord(id="a", title="Brot brot", description="brot")])
    text.fit(catalogue, rng=np.random.default_rng(0))
    _block, found = text.block_and_words(catalogue)
    column = text.terms.index("word:brot")
    shares = {found.names[t]: found.credit[i, column] for i, t in enumerate(found.term)}
    nothing = {("title", "brot brot"): 0}
    assert shares == pytest.approx({("title", "brot"): 2 / 3, ("description", "brot"): 1 / 3} | nothing)
    column = text.terms.index("title gram:<br")
    shares = {found.names[t]: found.credit[i, column] for i, t in enumerate(found.term)}
    assert shares == pytest.approx({("title", "brot"): 1, ("description", "brot"): 0} | nothing)
    column = text.terms.index("pair:brot brot")
    shares = {found.names[t]: found.credit[i, column] for i, t in enumerate(found.term)}
    assert shares[("title", "brot brot")] == 1


def test_a_model_read_back_gives_the_same_evidence(model, catalogue, explained, tmp_path):
    save_model(model, tmp_path / "model")
    assert load_model(tmp_path / "model").explain(catalogue) == explained


def test_only_what_people_can_see_or_hear_is_in_the_gallery(model, catalogue, everything):
    assert list(model.gallery.rows) == ["cover", "audio"]
    assert model.gallery.ids == [book.id for book in catalogue.books]
    extractor = FeatureExtractor(config=everything)
    extractor.fit_transform(catalogue, rng=np.random.default_rng(0))
    shown = [name for name, modality in extractor.modalities_.items() if modality.shows_nearest]
    assert shown == ["cover", "audio"]


def test_a_gallery_with_fewer_books_than_are_asked_for_gives_what_it_has():
    gallery = Gallery(
        ids=["a", "b"],
        categories=np.array([0, -1]),
        rows={"cover": np.array([0])},
        codes={"cover": np.array([[1, 0]], np.float16)},
        centres={"cover": np.zeros(2, np.float32)},
    )
    rows, cosine = gallery.nearest("cover", np.array([[2, 0], [0, 3]], np.float32), ["b", "a"], 3)
    assert rows.tolist() == [[0], [0]]
    assert cosine.tolist() == [[1], [-np.inf]]  # none is its own neighbour


def gallery_parts():
    values = {"ids": ["a", "b"], "shown": ["cover"]}
    tensors = {
        "categories": np.array([1, -1], np.int32),
        "cover/rows": np.array([0], np.int32),
        "cover/codes": np.ones((1, 4), np.float16),
        "cover/centre": np.zeros(4, np.float32),
    }
    return values, tensors


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("categories", np.zeros(3, np.int32)),
        ("cover/rows", np.array([2], np.int32)),
        ("cover/rows", np.array([-1], np.int32)),
        ("cover/rows", np.array([0, 1], np.int32)),
        ("cover/codes", np.ones((1, 5), np.float16)),
        ("cover/centre", np.zeros((4, 1), np.float32)),
    ],
)
def test_a_gallery_whose_parts_do_not_fit_is_refused(name, array):
    values, tensors = gallery_parts()
    assert Gallery.from_state(values, tensors).state()[0] == values
    with pytest.raises(ValueError, match=r"its (categories|codes)"):
        Gallery.from_state(values, tensors | {name: array})


@pytest.mark.parametrize(
    ("change", "n_classes", "width"),
    [({}, 1, 4), ({}, 2, 5), ({"cover/rows": np.array([1], np.int32)}, 2, 4)],
)
def test_a_gallery_of_another_model_is_refused(change, n_classes, width):
    values, tensors = gallery_parts()
    Gallery.from_state(values, tensors).check(n_classes=2, width=4)
    with pytest.raises(ValueError, match=r"its (categories|codes)"):
        Gallery.from_state(values, tensors | change).check(n_classes=n_classes, width=width)
