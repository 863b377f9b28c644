"""Hyperparameter search: interrupted, killed and resumed."""

import fcntl
import math

import optuna
import pytest

from classifier.pipeline.config import Config
from classifier.pipeline.records import BookRecord, Catalogue
from classifier.pipeline.training.search_space import search_space, starting_point
from classifier.pipeline.training.study import SearchError, fingerprint, open_search
from tests.pipeline.catalogues import loan_table

SPACE = search_space(Config())
START = starting_point(Config(), SPACE)


def opened(folder, *, seed=1, fresh=False):
    return open_search(folder / "x.journal", space=SPACE, start=START, seed=seed, fresh=fresh)


def easy(point, report):
    """Score highest far from where the search starts."""
    score = point["svm.balance"] - point["network.dropout"]
    report(score, 0)
    return score


def tried(study):
    return [trial.params for trial in study.finished]


def run(folder, *, trials, seed=1, fresh=False, objective=easy):
    with opened(folder, seed=seed, fresh=fresh) as study:
        while len(study.finished) < trials:
            study.run_trial(objective)
        return tried(study)


def test_first_trial_is_the_starting_point(tmp_path):
    with opened(tmp_path) as study:
        assert study.best is None
        study.run_trial(easy)
        assert study.first.params == START
        assert study.best.value == START["svm.balance"] - START["network.dropout"]


def test_search_improves(tmp_path):
    with opened(tmp_path) as study:
        for _ in range(25):
            study.run_trial(easy)
        assert study.best.value > study.first.value + 0.3
        assert study.best.value == max(trial.value for trial in study.finished)


def test_first_of_ties_is_best(tmp_path):
    with opened(tmp_path) as study:
        for _ in range(3):
            study.run_trial(lambda point, report: 0.0)
        assert study.best.params == START


def test_resumed_search_equals_an_uninterrupted_one(tmp_path):
    parts, whole = tmp_path / "parts", tmp_path / "whole"
    run(parts, trials=3)
    run(parts, trials=4)
    assert run(parts, trials=14) == run(whole, trials=14)


def test_other_seed_is_another_search(tmp_path):
    assert run(tmp_path / "1", trials=3, seed=1)[1:] != run(tmp_path / "2", trials=3, seed=2)[1:]


@pytest.mark.parametrize("before", [0, 2])
@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError])
def test_interrupted_trial_is_repeated(tmp_path, before, interruption):
    def interrupted(point, report):
        raise interruption

    run(tmp_path / "parts", trials=before)
    with opened(tmp_path / "parts") as study:
        with pytest.raises(interruption):
            study.run_trial(interrupted)
        assert study.counts() == {"finished": before, "pruned": 0, "failed": 0}
    assert run(tmp_path / "parts", trials=4) == run(tmp_path / "whole", trials=4)


@pytest.mark.parametrize("before", [0, 2])
def test_trial_of_a_killed_run_is_repeated(tmp_path, before):
    class Killed(BaseException):
        pass

    def die(*args, **kwargs):
        raise Killed

    run(tmp_path / "parts", trials=before)
    with opened(tmp_path / "parts") as study, pytest.MonkeyPatch.context() as patch:
        patch.setattr(optuna.Study, "tell", die)  # a killed process tells nothing
        with pytest.raises(Killed):
            study.run_trial(easy)
    # optuna's lock, which a process killed while writing leaves behind.
    (tmp_path / "parts" / "x.journal.lock").symlink_to(tmp_path / "parts" / "x.journal")
    assert run(tmp_path / "parts", trials=4) == run(tmp_path / "whole", trials=4)


def test_numerical_failure_counts_as_a_trial(tmp_path):
    failures = iter([ValueError("NaN"), FloatingPointError("overflow"), RuntimeError("no memory")])

    def fragile(point, report):
        if point != START and (error := next(failures, None)):
            raise error
        return easy(point, report)

    with opened(tmp_path) as study:
        for _ in range(6):
            study.run_trial(fragile)
        assert study.counts() == {"finished": 6, "pruned": 0, "failed": 3}
        assert [trial.user_attrs.get("error") for trial in study.finished] == [
            None, "NaN", "overflow", "no memory", None, None,
        ]  # fmt: skip


def test_failing_start_is_an_error(tmp_path):
    def fails(point, report):
        raise ValueError("Input X contains NaN.")

    with opened(tmp_path) as study:
        with pytest.raises(SearchError) as caught:
            study.run_trial(fails)
        assert caught.value.message == "Training fails with the initial settings: Input X contains NaN."
        assert study.finished == []


def test_bad_trials_are_pruned(tmp_path):
    reported = []

    def falling(point, report):
        """Each trial is worse than the one before."""
        score = -float(len(reported))
        reported.append(score)
        report(score, 0)
        reported.append(math.nan)
        return score

    with opened(tmp_path) as study:
        for _ in range(8):
            study.run_trial(falling)
        assert study.counts() == {"finished": 8, "pruned": 3, "failed": 0}
        assert study.best.params == START


def test_search_is_open_to_one_process(tmp_path):
    with (
        opened(tmp_path) as study,
        pytest.raises(SearchError, match="Another tuning run is active"),
        opened(tmp_path, fresh=True),
    ):
        pass
    with opened(tmp_path) as study:
        study.run_trial(easy)
    with (tmp_path / "x.journal").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # free again


def test_fresh_discards_earlier_trials(tmp_path):
    run(tmp_path, trials=4)
    assert len(run(tmp_path, trials=2, fresh=True)) == 2


def test_partial_line_is_dropped(tmp_path):
    whole = run(tmp_path, trials=3)
    with (tmp_path / "x.journal").open("ab") as file:
        file.write(b'{"op_code": 5, "wor')
    assert run(tmp_path, trials=3) == whole
    assert run(tmp_path, trials=5)[:3] == whole


def test_damaged_file_is_named_and_replaceable(tmp_path):
    run(tmp_path, trials=2)
    file = tmp_path / "x.journal"
    file.write_bytes(file.read_bytes().replace(b"{", b"#", 3))
    with pytest.raises(SearchError) as caught, opened(tmp_path):
        pass
    assert caught.value.message == f"{file} is damaged. Start over with --fresh."
    assert len(run(tmp_path, trials=2, fresh=True)) == 2


BOOKS = [BookRecord(id="a", title="one", category="x"), BookRecord(id="b", title="two")]
LOANS = [("a", 0), ("b", 0), ("a", 1)]


def test_fingerprint_is_stable():
    one, same = (Catalogue(books=list(BOOKS), loans=loan_table(LOANS)) for _ in range(2))
    assert fingerprint(one, Config(), 1) == fingerprint(same, Config(), 1)


@pytest.mark.parametrize(
    ("books", "loans", "about"),
    [
        (BOOKS[:1], LOANS, (Config(), 1)),
        ([BOOKS[0], BookRecord(id="b", title="two", category="x")], LOANS, (Config(), 1)),
        ([BOOKS[0], BookRecord(id="b", title="three")], LOANS, (Config(), 1)),
        (BOOKS, LOANS[:2], (Config(), 1)),
        (BOOKS, [("a", 0), ("b", 0), ("b", 1)], (Config(), 1)),
        (BOOKS, [("a", 0), ("b", 1), ("a", 1)], (Config(), 1)),
        (BOOKS, LOANS, (Config(), 2)),
        (BOOKS, LOANS, (Config().with_settings(["svm.C=2"]), 1)),
    ],
    ids=["a book less", "category", "title", "a loan less", "book lent", "borrower", "seed", "setting"],
)
def test_fingerprint_covers_all_inputs(books, loans, about):
    before = fingerprint(Catalogue(books=BOOKS, loans=loan_table(LOANS)), Config(), 1)
    assert fingerprint(Catalogue(books=books, loans=loan_table(loans)), *about) != before
