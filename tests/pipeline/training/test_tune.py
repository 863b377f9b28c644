"""Tuning: what the search sees, how it ends, and that its figures are those of training."""

import json
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from classifier.pipeline.errors import NotEnoughData
from classifier.pipeline.evaluation.splits import held_out
from classifier.pipeline.fusion.classifier import FusionClassifier
from classifier.pipeline.records import BookRecord, Catalogue
from classifier.pipeline.training.search_space import search_space
from classifier.pipeline.training.study import StudyError
from classifier.pipeline.training.train import MIN_BOOKS, train
from classifier.pipeline.training.tune import FOLDS, Tuning, tune
from tests.pipeline.catalogues import TINY, make_catalogue, relabelled

#: Too few steps to learn all, so that better settings can be found.
CONFIG = TINY.with_settings(["network.epochs=3", "network.width=8", "training.folds=2"])
TRIALS = 6


@pytest.fixture(scope="module")
def shelf(tmp_path_factory) -> Catalogue:
    return make_catalogue(tmp_path_factory.mktemp("covers"), covers=False)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("tuning")


@pytest.fixture(scope="module")
def tuned(shelf, kept) -> Tuning:
    return run(shelf, kept)


def run(catalogue, folder, *, trials=TRIALS, **options):
    return tune(catalogue, **{"config": CONFIG, "seed": 1, "trials": trials, "folder": folder} | options)


def found(result):
    """What the search itself found: nothing of the held-out books."""
    return result.settings, result.best["search_macro_f1"], result.defaults["search_macro_f1"]


def labelled(catalogue):
    """Ids of the categorised books, and which of them are held out."""
    ids = [book.id for book in catalogue.books if book.category]
    return ids, held_out(ids, share=CONFIG.training.holdout, at_most=CONFIG.training.max_holdout)


class Told:
    """Progress as it was told; its number of trials can serve as the clock."""

    def __init__(self):
        self.steps = {}
        self.trials = 0

    def __call__(self, phase, done, total):
        self.steps.setdefault(phase.partition(":")[0], []).append((phase, done, total))
        if phase.startswith("searching"):
            self.trials = done

    def clock(self):
        return self.trials


def test_what_was_found_is_better_in_the_search_than_the_defaults(tuned):
    assert tuned.settings != []
    assert tuned.best["search_macro_f1"] > tuned.defaults["search_macro_f1"]
    assert (tuned.stopped, tuned.trials["finished"], tuned.trials["new"]) == ("trials", TRIALS, TRIALS)


def test_figures_are_those_that_training_with_the_settings_gives(tuned, shelf):
    _, out = labelled(shelf)
    for settings, figures in ([], tuned.defaults), (tuned.settings, tuned.best):
        trained = train(shelf, config=CONFIG.with_settings(settings), seed=1).figures
        assert figures == pytest.approx(trained["fused"] | {"search_macro_f1": figures["search_macro_f1"]})
        assert tuned.held_out == trained["held_out"] == out.sum()


def test_the_gain_is_counted_on_the_held_out_books(tuned):
    gain = tuned.gain
    assert gain["accuracy"] == tuned.best["accuracy"] - tuned.defaults["accuracy"]
    assert gain["macro_f1"] == tuned.best["macro_f1"] - tuned.defaults["macro_f1"]
    assert (gain["won"] - gain["lost"]) / tuned.held_out == pytest.approx(gain["accuracy"])
    assert 0 <= gain["p_value"] <= 1


def test_the_search_never_sees_the_categories_of_held_out_books(tuned, shelf, tmp_path):
    ids, out = labelled(shelf)
    hidden = {book for book, is_out in zip(ids, out, strict=True) if is_out}
    turn = {"cooking": "physics", "physics": "history", "history": "cooking", None: None}
    other = relabelled(
        shelf, [turn[book.category] if book.id in hidden else book.category for book in shelf.books]
    )
    result = run(other, tmp_path)
    assert found(result) == found(tuned)
    assert result.best["accuracy"] < tuned.best["accuracy"]


def test_each_trial_learns_from_the_books_that_are_not_held_out_and_judges_each_once(
    shelf, tmp_path, monkeypatch
):
    learned, judged = [], []
    fit, encode = FusionClassifier.fit, FusionClassifier.encode

    def noted_fit(self, blocks, y, **options):
        learned.append(y)
        return fit(self, blocks, y, **options)

    def noted_encode(self, blocks):
        judged.append(len(blocks["text"].present))
        return encode(self, blocks)

    monkeypatch.setattr(FusionClassifier, "fit", noted_fit)
    monkeypatch.setattr(FusionClassifier, "encode", noted_encode)
    run(shelf, tmp_path, trials=1)
    ids, out = labelled(shelf)
    hidden = {book for book, is_out in zip(ids, out, strict=True) if is_out}
    open_ = np.array([book.category is not None and book.id not in hidden for book in shelf.books])
    *trials, last = learned
    assert [(y >= 0).tolist() for y in (last, np.max(trials, axis=0))] == [open_.tolist()] * 2
    # Of the three folds, each book is left out of one and judged there.
    assert (np.sum([y < 0 for y in trials], axis=0)[open_] == 1).all()
    assert judged == [*(int(np.sum(open_ & (y < 0))) for y in trials), len(hidden)]


def test_where_authors_are_kept_apart_in_training_they_are_in_the_search(tmp_path, monkeypatch):
    given = []
    fit = FusionClassifier.fit

    def noted_fit(self, blocks, y, *, groups, **options):
        given.append((y, groups))
        return fit(self, blocks, y, groups=groups, **options)

    monkeypatch.setattr(FusionClassifier, "fit", noted_fit)
    books = [
        BookRecord(
            id=f"b{i}",
            title=f"title {'xyz'[i % 3]} {i % 7}",
            authors=f"Author {i // 2}",
            category="abc"[i % 3] if i < 80 else None,
        )
        for i in range(160)
    ]
    run(Catalogue(books=books), tmp_path, trials=1)
    *trials, (last, _) = given
    assert len(trials) == FOLDS
    for y, groups in trials:
        assert [groups[i] == groups[i + 1] for i in range(159)] == [i % 2 == 0 for i in range(159)]
        left_out = (last >= 0) & (y < 0)
        assert not set(groups[left_out]) & set(groups[y >= 0])


def test_a_search_gone_on_with_is_the_search_at_one_go(tuned, shelf, tmp_path):
    first = run(shelf, tmp_path, trials=2)
    assert (first.trials["finished"], first.trials["new"]) == (2, 2)
    second = run(shelf, tmp_path, trials=TRIALS)
    assert (second.trials["finished"], second.trials["new"]) == (TRIALS, TRIALS - 2)
    assert second.trials | {"new": TRIALS} == tuned.trials
    assert (second.settings, second.defaults, second.best, second.gain) == (
        tuned.settings, tuned.defaults, tuned.best, tuned.gain,
    )  # fmt: skip


def test_with_enough_trials_kept_nothing_is_searched(tuned, shelf, kept):
    again = run(shelf, kept, trials=1)
    assert (again.trials["finished"], again.trials["new"]) == (TRIALS, 0)
    assert (again.settings, again.best) == (tuned.settings, tuned.best)


def test_afresh_all_trials_are_run_again(shelf, tmp_path):
    run(shelf, tmp_path, trials=1)
    assert run(shelf, tmp_path, trials=1, fresh=True).trials["new"] == 1


def test_another_library_is_another_search(shelf, tmp_path):
    run(shelf, tmp_path, trials=1)
    fewer = Catalogue(books=shelf.books[:-1], loans=shelf.loans)
    assert run(fewer, tmp_path, trials=1).trials["new"] == 1
    assert len(list(tmp_path.glob("*.journal"))) == 2


def test_what_is_fixed_is_left_as_it_is(shelf, tmp_path):
    space = set(search_space(CONFIG))
    result = run(shelf, tmp_path, trials=4, fixed=space - {"svm.balance", "network.learning_rate"})
    assert {setting.partition("=")[0] for setting in result.settings} <= {
        "svm.balance", "network.learning_rate",
    }  # fmt: skip
    with pytest.raises(StudyError, match="All settings that are searched are fixed"):
        run(shelf, tmp_path, fixed=space)


def test_when_time_is_up_what_was_found_is_kept(shelf, tmp_path):
    told = Told()
    result = run(shelf, tmp_path, timeout=2, progress=told, clock=told.clock)
    assert (result.stopped, result.trials["finished"]) == ("timeout", 2)
    assert run(shelf, tmp_path, trials=3).trials["new"] == 1


def test_time_that_is_up_before_the_defaults_were_tried_is_an_error(shelf, tmp_path):
    with pytest.raises(StudyError) as caught:
        run(shelf, tmp_path, timeout=0.5, clock=iter(range(9)).__next__)
    assert caught.value.message == (
        "In 0.5 seconds not even the defaults were tried; give the search more time."
    )


def interrupting(monkeypatch, *, at):
    """Press Ctrl-C when the model of that number, from 1, is learned."""
    fit, models = FusionClassifier.fit, []

    def pressed(self, *args, **options):
        models.append(self)
        if len(models) == at:
            raise KeyboardInterrupt
        return fit(self, *args, **options)

    monkeypatch.setattr(FusionClassifier, "fit", pressed)


def test_when_interrupted_what_was_found_is_measured(shelf, tmp_path, monkeypatch):
    interrupting(monkeypatch, at=2 * FOLDS + 2)
    result = run(shelf, tmp_path)
    assert (result.stopped, result.trials["finished"]) == ("interrupted", 2)
    assert result.held_out == labelled(shelf)[1].sum()


def test_interrupted_before_anything_was_found_it_ends(shelf, tmp_path, monkeypatch):
    interrupting(monkeypatch, at=2)
    with pytest.raises(KeyboardInterrupt):
        run(shelf, tmp_path)


def test_settings_that_fail_numerically_are_counted_and_passed_over(shelf, tmp_path, monkeypatch):
    predict_proba = FusionClassifier.predict_proba

    def fragile(self, blocks):
        """Give no numbers where the search has left the defaults, and just as long as it is the search."""
        probabilities = predict_proba(self, blocks)
        return probabilities if self.config == CONFIG else np.full_like(probabilities, np.nan)

    monkeypatch.setattr(FusionClassifier, "predict_proba", fragile)
    result = run(shelf, tmp_path, trials=3)
    assert result.trials == {"finished": 3, "pruned": 0, "failed": 2, "new": 3}
    assert result.settings == []
    assert result.best == result.defaults
    assert result.gain == {"accuracy": 0, "macro_f1": 0, "won": 0, "lost": 0, "p_value": 1}


def test_progress_is_told_phase_by_phase_with_the_best_so_far(shelf, tmp_path):
    told = Told()
    result = run(shelf, tmp_path, progress=told)
    assert list(told.steps) == [
        "reading books", "searching", "measuring the defaults", "measuring what was found",
    ]  # fmt: skip
    steps = told.steps["searching"]
    assert [(done, total) for _, done, total in steps] == [(n, TRIALS) for n in range(TRIALS + 1)]
    assert steps[0][0] == "searching"
    assert steps[-1][0] == f"searching: best macro-F1 {result.best['search_macro_f1']:.3f}"
    for phase in told.steps.values():
        assert phase[-1][1] == phase[-1][2]


def books_in(*categories):
    return Catalogue(
        books=[BookRecord(id=str(i), title=f"title {i % 3}", category=c) for i, c in enumerate(categories)]
    )


def refusal(catalogue, folder):
    with pytest.raises(NotEnoughData) as caught:
        run(catalogue, folder / "tuning", trials=1)
    assert not (folder / "tuning").exists()
    return caught.value.message


@pytest.mark.parametrize("categories", [[], ["a", "b"] * 4 + ["a", None]])
def test_too_few_categorised_books_are_refused(categories, tmp_path):
    books = sum(category is not None for category in categories)
    assert refusal(books_in(*categories), tmp_path) == (
        f"{books} of the books have a category; learning needs {MIN_BOOKS} at least."
    )


@pytest.mark.parametrize("categories", [["a"] * 12, [str(i) for i in range(12)], ["a"] * 12 + ["b", "c"]])
def test_what_training_refuses_is_refused(categories, tmp_path):
    with pytest.raises(NotEnoughData) as caught:
        train(books_in(*categories), config=CONFIG, seed=1)
    assert refusal(books_in(*categories), tmp_path) == caught.value.message


def test_categories_that_cannot_be_dealt_over_the_folds_are_refused(tmp_path):
    out = held_out([str(i) for i in range(20)], share=0.2, at_most=1000)
    one, other = np.flatnonzero(~out)[0], np.flatnonzero(out)[0]
    categories = np.where(np.isin(np.arange(20), [one, other]), "rare", "common")
    assert refusal(books_in(*categories.tolist()), tmp_path).startswith(
        "Without the books held out, fewer than two categories have two books or more"
    )


def test_books_of_which_nothing_is_known_are_refused(tmp_path):
    books = [BookRecord(id=str(i), category="ab"[i % 2]) for i in range(20)]
    with pytest.raises(NotEnoughData, match="No book has anything to learn from"):
        run(Catalogue(books=books), tmp_path, trials=1)


def test_the_smallest_catalogue_allowed_is_tuned(tmp_path):
    result = run(books_in(*["a", "b"] * (MIN_BOOKS // 2)), tmp_path, trials=2)
    assert result.trials["finished"] == 2


def test_the_result_can_be_written_as_json(tuned):
    values = {name: getattr(tuned, name) for name in tuned.__slots__}
    assert json.loads(json.dumps(values)) == values


def test_machines_that_do_not_converge_are_not_complained_of(shelf, tmp_path, monkeypatch):
    predict_proba = FusionClassifier.predict_proba

    def complaining(self, blocks):
        warnings.warn("Liblinear failed to converge", ConvergenceWarning, stacklevel=1)
        return predict_proba(self, blocks)

    monkeypatch.setattr(FusionClassifier, "predict_proba", complaining)
    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        run(shelf, tmp_path, trials=1)
    assert [str(complaint.message) for complaint in complaints] == []
