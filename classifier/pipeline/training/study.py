"""The search itself: one study in one file, which a later run goes on with where an earlier one stopped."""

import fcntl
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from classifier.pipeline.errors import PipelineError
from classifier.pipeline.records import Catalogue
from classifier.pipeline.training.search_space import SearchSpace

_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
#: What settings that cannot be learned with end in: overflow, no convergence, no memory on the device.
_NUMERICAL = (ValueError, ArithmeticError, RuntimeError)
_FULL_TRIALS = 5  # the first ones run to their end: a median of fewer says nothing

Objective = Callable[[dict[str, Any], Callable[[float, int], None]], float]
"""``objective(point, report)`` returns a score; ``report(score so far, step)`` may end the trial early."""


class StudyError(PipelineError):
    """A search that cannot be started or gone on with."""


class Study:
    """A search for the point with the highest score.

    A trial is finished if it was scored, was given up as worse than half of the others, or failed
    numerically. Each is drawn from the seed and the finished trials alone, so a search that was
    interrupted and gone on with is the search that was not.

    Parameters
    ----------
    study : optuna.Study
    space : mapping of str to distribution
    start : dict
        The point of the first trial.
    seed : int
    """

    def __init__(self, study: optuna.Study, *, space: SearchSpace, start: dict[str, Any], seed: int) -> None:
        self._study = study
        self._space = dict(space)
        self._start = start
        self._seed = seed

    @property
    def finished(self) -> list[FrozenTrial]:
        """The trials that count."""
        return self._study.get_trials(deepcopy=False, states=_FINISHED)

    @property
    def best(self) -> FrozenTrial | None:
        """The trial with the highest score, the first of equals; None where none was scored."""
        scored = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return max(scored, key=lambda trial: trial.value or 0.0, default=None)

    @property
    def first(self) -> FrozenTrial:
        """The trial of the starting point."""
        return self.finished[0]

    def counts(self) -> dict[str, int]:
        """Return how many trials are ``finished``, and of these ``pruned`` and ``failed``."""
        finished = self.finished
        failed = sum("error" in trial.user_attrs for trial in finished)
        pruned = sum(trial.state == TrialState.PRUNED for trial in finished)
        return {"finished": len(finished), "pruned": pruned - failed, "failed": failed}

    def run_trial(self, objective: Objective) -> None:
        """Try one more point.

        Raises
        ------
        StudyError
            If the starting point fails numerically: nothing can be compared with it then.
        BaseException
            What the objective raised for another reason; the trial is not counted and will be run again.
        """
        finished = len(self.finished)
        if not finished and not self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            self._study.enqueue_trial(self._start)
        seed = int(np.random.SeedSequence([self._seed, finished]).generate_state(1)[0])
        self._study.sampler = optuna.samplers.TPESampler(seed=seed)
        trial = self._study.ask(fixed_distributions=self._space)
        try:
            score = objective(trial.params, lambda value, step: _report(trial, value, step))
        except optuna.TrialPruned:
            self._study.tell(trial, state=TrialState.PRUNED)
        except _NUMERICAL as error:
            if not finished:
                self._study.tell(trial, state=TrialState.FAIL)
                raise StudyError(f"Learning fails where the search starts: {error}") from error
            trial.set_user_attr("error", str(error))
            self._study.tell(trial, state=TrialState.PRUNED)
        except BaseException:
            self._study.tell(trial, state=TrialState.FAIL)
            raise
        else:
            self._study.tell(trial, score)


@contextmanager
def opened_study(
    file: Path, *, space: SearchSpace, start: dict[str, Any], seed: int, fresh: bool = False
) -> Iterator[Study]:
    """Open the study kept in a file, or begin it; what a killed run left half done is put in order.

    Parameters
    ----------
    file : Path
    space : mapping of str to distribution
    start : dict
        The point of the first trial.
    seed : int
    fresh : bool
        Forget what the file holds.

    Raises
    ------
    StudyError
        If another process has it open, or the file is damaged.
    OSError
        If it cannot be read or written.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+b") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kernel frees it, however we end
        except BlockingIOError as error:
            raise StudyError("Another run is tuning on this library; wait for it or stop it.") from error
        handle.seek(0)
        whole = 0 if fresh else handle.read().rfind(b"\n") + 1  # a full disk leaves half a line
        handle.truncate(whole)
        # optuna's own lock is a file: one left by a killed run would be waited for.
        Path(f"{file}.lock").unlink(missing_ok=True)
        try:
            study = optuna.create_study(
                storage=JournalStorage(JournalFileBackend(str(file))),
                study_name="tuning",
                load_if_exists=True,
                direction="maximize",
                pruner=optuna.pruners.MedianPruner(n_startup_trials=_FULL_TRIALS),
            )
        except (ValueError, LookupError) as error:
            raise StudyError(f"{file} is damaged; begin anew with --fresh.", file=file.name) from error
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            study.tell(trial.number, state=TrialState.FAIL)
        yield Study(study, space=space, start=start, seed=seed)


def fingerprint(catalogue: Catalogue, *about: Any) -> str:
    """Return a name for all that scores depend on: those of another library must not be mixed in."""
    digest = hashlib.sha256(repr(about).encode())
    for book in catalogue.books:
        digest.update(repr(book).encode())
    loans = catalogue.loans
    digest.update(repr(list(loans.book_ids)).encode())
    for column in (loans.book, loans.borrower, loans.borrowed_at):
        digest.update(column.tobytes())
    return digest.hexdigest()[:16]


def _report(trial: Trial, score: float, step: int) -> None:
    trial.report(score, step)
    if trial.should_prune():
        raise optuna.TrialPruned
