"""The study: interrupted, killed or at one go, it is the same search."""

import fcntl
import math

import optuna
import pytest

from classifier.pipeline.config import Config
from classifier.pipeline.records import BookRecord, Catalogue
from classifier.pipeline.training.search_space import search_space, starting_point
from classifier.pipeline.training.study import StudyError, fingerprint, opened_study
from tests.pipeline.catalogues import loan_table

SPACE = search_space(Config())
START = starting_point(Config(), SPACE)


def opened(folder, *, seed=1, fresh=False):
    return opened_study(folder / "x.journal", space=SPACE, start=START, seed=seed, fresh=fresh)


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


def test_the_first_trial_is_where_the_search_starts(tmp_path):
    with opened(tmp_path) as study:
        assert study.best is None
        study.run_trial(easy)
        assert study.first.params == START
        assert study.best.value == START["svm.balance"] - START["network.dropout"]


def test_better_points_are_found(tmp_path):
    with opened(tmp_path) as study:
        for _ in range(25):
            study.run_trial(easy)
        assert study.best.value > study.first.value + 0.3
        assert study.best.value == max(trial.value for trial in study.finished)


def test_of_equal_points_the_first_is_best(tmp_path):
    with opened(tmp_path) as study:
        for _ in range(3):
            study.run_trial(lambda point, report: 0.0)
        assert study.best.params == START


def test_a_search_gone_on_with_is_the_search_at_one_go(tmp_path):
    parts, whole = tmp_path / "parts", tmp_path / "whole"
    run(parts, trials=3)
    run(parts, trials=4)
    assert run(parts, trials=14) == run(whole, trials=14)


def test_another_seed_is_another_search(tmp_path):
    assert run(tmp_path / "1", trials=3, seed=1)[1:] != run(tmp_path / "2", trials=3, seed=2)[1:]


@pytest.mark.parametrize("before", [0, 2])
@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError])
def test_an_interrupted_trial_is_run_again(tmp_path, before, interruption):
    def interrupted(point, report):
        raise interruption

    run(tmp_path / "parts", trials=before)
    with opened(tmp_path / "parts") as study:
        with pytest.raises(interruption):
            study.run_trial(interrupted)
        assert study.counts() == {"finished": before, "pruned": 0, "failed": 0}
    assert run(tmp_path / "parts", trials=4) == run(tmp_path / "whole", trials=4)


@pytest.mark.parametrize("before", [0, 2])
def test_the_trial_that_a_killed_run_left_is_run_again(tmp_path, before):
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


def test_a_trial_that_fails_numerically_counts_and_the_search_goes_on(tmp_path):
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


def test_a_search_whose_start_fails_is_refused_and_says_why(tmp_path):
    def fails(point, report):
        raise ValueError("Input X contains NaN.")

    with opened(tmp_path) as study:
        with pytest.raises(StudyError) as caught:
            study.run_trial(fails)
        assert caught.value.message == "Learning fails where the search starts: Input X contains NaN."
        assert study.finished == []


def test_trials_worse_than_half_of_five_are_given_up(tmp_path):
    told = []

    def falling(point, report):
        """Each trial is worse than the one before."""
        score = -float(len(told))
        told.append(score)
        report(score, 0)
        told.append(math.nan)
        return score

    with opened(tmp_path) as study:
        for _ in range(8):
            study.run_trial(falling)
        assert study.counts() == {"finished": 8, "pruned": 3, "failed": 0}
        assert study.best.params == START


def test_a_study_is_open_to_one_process_only(tmp_path):
    with (
        opened(tmp_path) as study,
        pytest.raises(StudyError, match="Another run is tuning on this library"),
        opened(tmp_path, fresh=True),
    ):
        pass
    with opened(tmp_path) as study:
        study.run_trial(easy)
    with (tmp_path / "x.journal").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # free again


def test_afresh_the_earlier_trials_are_forgotten(tmp_path):
    run(tmp_path, trials=4)
    assert len(run(tmp_path, trials=2, fresh=True)) == 2


def test_half_a_line_of_a_full_disk_is_left_out(tmp_path):
    whole = run(tmp_path, trials=3)
    with (tmp_path / "x.journal").open("ab") as file:
        file.write(b'{"op_code": 5, "wor')
    assert run(tmp_path, trials=3) == whole
    assert run(tmp_path, trials=5)[:3] == whole


def test_a_damaged_study_is_named_and_can_be_begun_anew(tmp_path):
    run(tmp_path, trials=2)
    file = tmp_path / "x.journal"
    file.write_bytes(file.read_bytes().replace(b"{", b"#", 3))
    with pytest.raises(StudyError) as caught, opened(tmp_path):
        pass
    assert caught.value.message == f"{file} is damaged; begin anew with --fresh."
    assert len(run(tmp_path, trials=2, fresh=True)) == 2


BOOKS = [BookRecord(id="a", title="one", category="x"), BookRecord(id="b", title="two")]
LOANS = [("a", 0), ("b", 0), ("a", 1)]


def test_the_same_library_has_the_same_fingerprint():
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
def test_what_scores_depend_on_changes_the_fingerprint(books, loans, about):
    before = fingerprint(Catalogue(books=BOOKS, loans=loan_table(LOANS)), Config(), 1)
    assert fingerprint(Catalogue(books=books, loans=loan_table(loans)), *about) != before
