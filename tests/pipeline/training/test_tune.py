"""Tuning: data used, end of the search, metrics."""

import json

import numpy as np
import pytest

from classifier.pipeline.evaluation.splits import select_held_out
from classifier.pipeline.fusion.classifier import FusionClassifier
from classifier.pipeline.records import BookRecord, Catalogue
from classifier.pipeline.training.search_space import search_space
from classifier.pipeline.training.study import SearchError
from classifier.pipeline.training.train import train
from classifier.pipeline.training.tune import FOLDS, TuningResult
from tests.pipeline.catalogues import relabelled
from tests.pipeline.training.small_searches import CONFIG, TRIALS, run


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("tuning")


@pytest.fixture(scope="module")
def tuned(shelf, kept) -> TuningResult:
    return run(shelf, kept)


def found(result):
    """What the search itself found: nothing of the held-out books."""
    return result.settings, result.best["search_macro_f1"], result.defaults["search_macro_f1"]


def labelled(catalogue):
    """Ids of the categorised books, and which of them are held out."""
    ids = [book.id for book in catalogue.books if book.category]
    return ids, select_held_out(ids, share=CONFIG.training.holdout, max_books=CONFIG.training.max_holdout)


class RecordedProgress:
    """Progress as it was reported; its number of trials can serve as the clock."""

    def __init__(self):
        self.steps = {}
        self.trials = 0

    def __call__(self, phase, done, total):
        self.steps.setdefault(phase.partition(":")[0], []).append((phase, done, total))
        if phase.startswith("searching"):
            self.trials = done

    def clock(self):
        return self.trials


def test_search_beats_the_defaults(tuned):
    assert tuned.settings != []
    assert tuned.best["search_macro_f1"] > tuned.defaults["search_macro_f1"]
    assert (tuned.stopped, tuned.trials["finished"], tuned.trials["new"]) == ("trials", TRIALS, TRIALS)


def test_metrics_equal_a_training_with_the_settings(tuned, shelf):
    _, out = labelled(shelf)
    for settings, metrics in ([], tuned.defaults), (tuned.settings, tuned.best):
        trained = train(shelf, config=CONFIG.with_settings(settings), seed=1).metrics
        assert metrics == pytest.approx(trained["fused"] | {"search_macro_f1": metrics["search_macro_f1"]})
        assert tuned.held_out == trained["held_out"] == out.sum()


def test_gain_is_measured_on_held_out_books(tuned):
    gain = tuned.gain
    assert gain["accuracy"] == tuned.best["accuracy"] - tuned.defaults["accuracy"]
    assert gain["macro_f1"] == tuned.best["macro_f1"] - tuned.defaults["macro_f1"]
    assert (gain["won"] - gain["lost"]) / tuned.held_out == pytest.approx(gain["accuracy"])
    assert 0 <= gain["p_value"] <= 1


def test_search_never_sees_held_out_categories(tuned, shelf, tmp_path):
    ids, out = labelled(shelf)
    hidden = {book for book, is_out in zip(ids, out, strict=True) if is_out}
    turn = {"cooking": "physics", "physics": "history", "history": "cooking", None: None}
    other = relabelled(
        shelf, [turn[book.category] if book.id in hidden else book.category for book in shelf.books]
    )
    result = run(other, tmp_path)
    assert found(result) == found(tuned)
    assert result.best["accuracy"] < tuned.best["accuracy"]


def test_trial_predicts_each_book_once(shelf, tmp_path, monkeypatch):
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


def test_grouped_authors_stay_grouped(tmp_path, monkeypatch):
    inputs = []
    fit = FusionClassifier.fit

    def noted_fit(self, blocks, y, *, groups, **options):
        inputs.append((y, groups))
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
    *trials, (last, _) = inputs
    assert len(trials) == FOLDS
    for y, groups in trials:
        assert [groups[i] == groups[i + 1] for i in range(159)] == [i % 2 == 0 for i in range(159)]
        left_out = (last >= 0) & (y < 0)
        assert not set(groups[left_out]) & set(groups[y >= 0])


def test_resumed_search_equals_an_uninterrupted_one(tuned, shelf, tmp_path):
    first = run(shelf, tmp_path, trials=2)
    assert (first.trials["finished"], first.trials["new"]) == (2, 2)
    second = run(shelf, tmp_path, trials=TRIALS)
    assert (second.trials["finished"], second.trials["new"]) == (TRIALS, TRIALS - 2)
    assert second.trials | {"new": TRIALS} == tuned.trials
    assert (second.settings, second.defaults, second.best, second.gain) == (
        tuned.settings, tuned.defaults, tuned.best, tuned.gain,
    )  # fmt: skip


def test_enough_stored_trials_skip_the_search(tuned, shelf, kept):
    again = run(shelf, kept, trials=1)
    assert (again.trials["finished"], again.trials["new"]) == (TRIALS, 0)
    assert (again.settings, again.best) == (tuned.settings, tuned.best)


def test_fresh_repeats_all_trials(shelf, tmp_path):
    run(shelf, tmp_path, trials=1)
    assert run(shelf, tmp_path, trials=1, fresh=True).trials["new"] == 1


def test_other_library_is_another_search(shelf, tmp_path):
    run(shelf, tmp_path, trials=1)
    fewer = Catalogue(books=shelf.books[:-1], loans=shelf.loans)
    assert run(fewer, tmp_path, trials=1).trials["new"] == 1
    assert len(list(tmp_path.glob("*.journal"))) == 2


def test_fixed_settings_stay(shelf, tmp_path):
    space = set(search_space(CONFIG))
    result = run(shelf, tmp_path, trials=4, fixed=space - {"svm.balance", "network.learning_rate"})
    assert {setting.partition("=")[0] for setting in result.settings} <= {
        "svm.balance", "network.learning_rate",
    }  # fmt: skip
    with pytest.raises(SearchError, match="All searchable settings are fixed"):
        run(shelf, tmp_path, fixed=space)


def test_timeout_keeps_the_best(shelf, tmp_path):
    reported = RecordedProgress()
    result = run(shelf, tmp_path, timeout=2, progress=reported, clock=reported.clock)
    assert (result.stopped, result.trials["finished"]) == ("timeout", 2)
    assert run(shelf, tmp_path, trials=3).trials["new"] == 1


def test_timeout_before_the_defaults_is_an_error(shelf, tmp_path):
    with pytest.raises(SearchError) as caught:
        run(shelf, tmp_path, timeout=0.5, clock=iter(range(9)).__next__)
    assert caught.value.message == ("The defaults were not finished within 0.5 seconds. Allow more time.")


def interrupting(monkeypatch, *, at):
    """Press Ctrl-C when the model of that number, from 1, is learned."""
    fit, models = FusionClassifier.fit, []

    def pressed(self, *args, **options):
        models.append(self)
        if len(models) == at:
            raise KeyboardInterrupt
        return fit(self, *args, **options)

    monkeypatch.setattr(FusionClassifier, "fit", pressed)


def test_interrupt_measures_the_best(shelf, tmp_path, monkeypatch):
    interrupting(monkeypatch, at=2 * FOLDS + 2)
    result = run(shelf, tmp_path)
    assert (result.stopped, result.trials["finished"]) == ("interrupted", 2)
    assert result.held_out == labelled(shelf)[1].sum()


def test_early_interrupt_is_raised(shelf, tmp_path, monkeypatch):
    interrupting(monkeypatch, at=2)
    with pytest.raises(KeyboardInterrupt):
        run(shelf, tmp_path)


def test_progress_reports_phases_and_best_score(shelf, tmp_path):
    reported = RecordedProgress()
    result = run(shelf, tmp_path, progress=reported)
    assert list(reported.steps) == [
        "reading books",
        "searching settings",
        "evaluating the default settings",
        "evaluating the best settings found",
    ]
    steps = reported.steps["searching settings"]
    assert [(done, total) for _, done, total in steps] == [(n, TRIALS) for n in range(TRIALS + 1)]
    assert steps[0][0] == "searching settings"
    assert steps[-1][0] == f"searching settings: best macro-F1 {result.best['search_macro_f1']:.3f}"
    for phase in reported.steps.values():
        assert phase[-1][1] == phase[-1][2]


def test_result_survives_json(tuned):
    values = {name: getattr(tuned, name) for name in tuned.__slots__}
    assert json.loads(json.dumps(values)) == values
