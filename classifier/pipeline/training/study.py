"""Hyperparameter search: an optuna study in a file, resumed by later runs."""

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
#: Errors of unsuitable settings: overflow, no convergence, out of memory.
_NUMERICAL = (ValueError, ArithmeticError, RuntimeError)
_STARTUP_TRIALS = 5  # never pruned: the median of fewer is meaningless

Objective = Callable[[dict[str, Any], Callable[[float, int], None]], float]
"""``objective(point, report)`` returns a score; ``report(intermediate score, step)`` may prune the trial."""


class SearchError(PipelineError):
    """A search that cannot start or resume."""


class HyperparameterSearch:
    """A search for the point with the highest score, beginning with `start`.

    A trial is finished when scored, pruned (worse than the median), or failed numerically. Each depends on
    the seed and the finished trials only, so interrupting and resuming does not change the search.
    """

    def __init__(self, study: optuna.Study, *, space: SearchSpace, start: dict[str, Any], seed: int) -> None:
        self._study = study
        self._space = dict(space)
        self._start = start
        self._seed = seed

    @property
    def finished(self) -> list[FrozenTrial]:
        """Return the finished trials."""
        return self._study.get_trials(deepcopy=False, states=_FINISHED)

    @property
    def best(self) -> FrozenTrial | None:
        """Return the trial with the highest score, the first of ties; None if none was scored."""
        scored = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return max(scored, key=lambda trial: trial.value or 0.0, default=None)

    @property
    def first(self) -> FrozenTrial:
        """Return the trial of the starting point."""
        return self.finished[0]

    def counts(self) -> dict[str, int]:
        """Return the numbers of ``finished`` trials, and of ``pruned`` and ``failed`` ones among them."""
        finished = self.finished
        failed = sum("error" in trial.user_attrs for trial in finished)
        pruned = sum(trial.state == TrialState.PRUNED for trial in finished)
        return {"finished": len(finished), "pruned": pruned - failed, "failed": failed}

    def run_trial(self, objective: Objective) -> None:
        """Run one more trial, again later if the objective raises.

        Raises
        ------
        SearchError
            If the starting point fails numerically, because nothing can be compared with it.
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
                raise SearchError(f"Training fails with the initial settings: {error}") from error
            trial.set_user_attr("error", str(error))
            self._study.tell(trial, state=TrialState.PRUNED)
        except BaseException:
            self._study.tell(trial, state=TrialState.FAIL)
            raise
        else:
            self._study.tell(trial, score)


@contextmanager
def open_search(
    file: Path, *, space: SearchSpace, start: dict[str, Any], seed: int, fresh: bool = False
) -> Iterator[HyperparameterSearch]:
    """Open or create the search stored in a file, and clean up after killed runs; `fresh` discards it.

    Raises
    ------
    SearchError
        If another process has it open or it is damaged.
    OSError
        If it is out of reach.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+b") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # released by the kernel at exit
        except BlockingIOError as error:
            raise SearchError("Another tuning run is active. Wait for it, or stop it.") from error
        handle.seek(0)
        complete_bytes = (
            0 if fresh else handle.read().rfind(b"\n") + 1
        )  # drop a partial line from a full disk
        handle.truncate(complete_bytes)
        # optuna would wait for the lock file of a killed run.
        Path(f"{file}.lock").unlink(missing_ok=True)
        try:
            study = optuna.create_study(
                storage=JournalStorage(JournalFileBackend(str(file))),
                study_name="tuning",
                load_if_exists=True,
                direction="maximize",
                pruner=optuna.pruners.MedianPruner(n_startup_trials=_STARTUP_TRIALS),
            )
        except (ValueError, LookupError) as error:
            raise SearchError(f"{file} is damaged. Start over with --fresh.", file=file.name) from error
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            study.tell(trial.number, state=TrialState.FAIL)
        yield HyperparameterSearch(study, space=space, start=start, seed=seed)


def fingerprint(catalogue: Catalogue, *parameters: Any) -> str:
    """Return a hash of everything that scores depend on, so that searches of different data never mix."""
    digest = hashlib.sha256(repr(parameters).encode())
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
