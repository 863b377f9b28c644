"""The fusion classifier: blocks of features -> networks -> fused representation -> SVM -> probabilities.

A support vector machine is trained on what the networks say of books that they have not seen (see
`classifier.pipeline.fusion.cross_fitting`). Hidden units of two networks have no common meaning; their
probabilities do.
So the fused representation is, for the fusion, for each modality, and for the books that a modality links to
this one, the square roots of the probabilities of all categories (Hellinger: a difference between 0.01 and
0.02 counts, one between 0.98 and 0.99 hardly).

There is one machine for each set of modalities that a book can have. It learns from every book that has
them, whatever else these have, so a book without a cover is judged by what is known of books without one.
Where fewer modalities judge books better that were not learned from, by more than chance, the others are
left out of account: covers that say nothing must do no harm, and a thousand books are too few for a machine
to learn that by itself.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Self

import numpy as np
from scipy.special import log_softmax

from classifier.pipeline.evaluation.calibration import Temperature
from classifier.pipeline.features.base import Block
from classifier.pipeline.fusion.cross_fitting import Encoded, NetworkEnsemble
from classifier.pipeline.fusion.out_of_fold import Unseen
from classifier.pipeline.fusion.svm import FusedSvm, best_vote_share, settled
from classifier.pipeline.records import Bool, Float32, Float64, Int64

_MIN_BOOKS = 10  # fewer say nothing of how far to trust a set of modalities


class FusionClassifier(NetworkEnsemble):
    """Networks, and support vector machines over what they say.

    Parameters
    ----------
    config : Config
    seed : int

    Attributes
    ----------
    modalities_, networks_, beliefs_
        See `NetworkEnsemble`.
    machines_ : dict of tuple of str to FusedSvm
        By the modalities they judge by.
    uses_ : dict of tuple of str to tuple of str
        By the modalities a book has: those it is judged by.
    prior_ : float array (n_classes,)
        Log share of each category: what is said of a book nothing is known of.
    vote_share_ : float
        How much of the networks' votes goes into which category is the answer (`svm.best_vote_share`).
    expected_ : Temperature
        What the scores of books at `fit` call for by networks and machines that had not seen them.
    temperature_ : Temperature
        Makes scores probabilities; 1 until `calibrate`.
    unseen_ : Unseen
        What is said of the books learned from by those that had not seen them. Stored with the model, not
        with the classifier.
    """

    def fit(
        self,
        blocks: Mapping[str, Block],
        y: Int64,
        *,
        n_classes: int,
        groups: Int64 | None = None,
        kinship: Float32 | None = None,
        on_step: Callable[[int, int], None] = lambda done, total: None,
    ) -> Self:
        """Learn categories from blocks of the same books.

        Parameters
        ----------
        blocks : mapping of str to Block
            Where a block has links, of all books that it links to, in their order.
        y : int array (n_books,)
            Category of each book, -1 where it is not to be learned from; at least two different ones.
        n_classes : int
        groups : int array (n_books,), optional
            Books of one group are never learned from and judged by at once: give authors, if the books to
            be classified are by others than these. Left out of account where they are fewer than folds.
        kinship : float array (n_classes, n_classes), optional
            See `FusionNetwork.fit`.
        on_step : callable
            Called with (steps done, steps in all).

        Raises
        ------
        ValueError
            If a block links to other books than the blocks are of.
        """
        fold, unseen = self.cross_fit(
            blocks, y, n_classes=n_classes, groups=groups, kinship=kinship, on_step=on_step
        )
        self.temperature_ = Temperature()
        learned = np.flatnonzero(y >= 0)
        truth = y[learned]
        self.prior_ = np.log((np.bincount(truth, minlength=n_classes) + 0.5) / (len(truth) + 0.5 * n_classes))
        scores = self._fit_machines(unseen, fold, truth)
        self.unseen_ = Unseen.of(
            probabilities=self.expected_.probabilities(scores), rows=learned, fold=fold, truth=truth
        )
        return self

    def calibrate(self, blocks: Mapping[str, Block], y: Int64) -> Self:
        """Fit the temperature to books that were not learned from.

        All networks together are right, and sure, more often than the single ones of which a temperature is
        expected. Where books are few it is drawn towards the expected one (over eight fifths of a set of 625
        books the calibration error was 0.048 without that, 0.037 with it).
        """
        self.temperature_ = Temperature.fitted(self.scores(self.encode(blocks)), y, near=self.expected_)
        return self

    def represent(self, books: Encoded, votes: Float32, names: Sequence[str]) -> Float32:
        """Return the fused representation of books that have the modalities `names`, (n_books, d)."""
        parts = [np.exp(votes[:, position] / 2) for position in self.positions(names)]
        parts += [np.sqrt(shares(books.linked[name])) for name in names if name in books.linked]
        return np.concatenate(parts, axis=1).astype(np.float32)

    def positions(self, names: Sequence[str]) -> list[int]:
        """Return which of the votes represent books that have the modalities `names`."""
        chosen = [0] if len(self.modalities_) > 1 else []  # of one modality, the fusion is another reading
        return chosen + [1 + self.modalities_.index(name) for name in names]

    def scores(self, books: Encoded, *, shown: Bool | None = None) -> Float64:
        """Return scores (n_books, n_classes): log probabilities up to a constant, the mean of a book 0.

        Parameters
        ----------
        books : Encoded
        shown : bool array (n_books, n_modalities), optional
            Judge as if of what is present only this were there.
        """
        seen = books.present if shown is None else books.present & shown
        result = np.repeat(self.prior_[None, :], len(seen), axis=0)
        owner = self.machine_of(seen)
        machines = list(self.machines_)
        for number in sorted(set(owner.tolist()) - {-1}):
            names = machines[number]
            rows = np.flatnonzero(owner == number)
            part = books if len(rows) == len(owner) else books.take(rows)
            shown = np.array([[name in names for name in self.modalities_]])
            votes = self.votes(part, shown=shown, alone=names)
            result[rows] = self.machines_[names].scores(
                self.represent(part, votes, names), votes[:, 0], vote_share=self.vote_share_
            )
        return np.asarray(result - result.mean(axis=1, keepdims=True))

    def predict_proba(self, blocks: Mapping[str, Block]) -> Float64:
        """Return calibrated probabilities, (n_books, n_classes)."""
        return self.temperature_.probabilities(self.scores(self.encode(blocks)))

    def _fit_machines(self, unseen: Encoded, fold: Int64, truth: Int64) -> Float64:
        """Fit all machines; return the scores of each book by the one that judges it, unseen, else NaN."""
        self.machines_: dict[tuple[str, ...], FusedSvm] = {}
        shape = (2, len(truth), len(self.prior_))
        said: dict[tuple[str, ...], Float64] = {}  # decisions and votes, weighted, of books unseen by either
        for names in _subsets(self.modalities_):
            shown = np.isin(self.modalities_, names)
            rows = np.flatnonzero(unseen.present[:, shown].all(axis=1))
            if len(rows) < _MIN_BOOKS or len(np.unique(truth[rows])) < 2:
                continue
            part = unseen.take(rows)
            votes = self.votes_unseen(part, fold[rows], shown=shown)
            machine = FusedSvm(settings=self.config.svm, seed=self.seed)
            self.machines_[names] = machine.fit(self.represent(part, votes, names), votes[:, 0], truth[rows])
            said[names] = np.full(shape, np.nan)
            said[names][:, rows] = machine.unseen_, machine.vote_weight_ * votes[:, 0]
            del machine.unseen_
        weights = np.exp(-self.prior_)[truth] ** self.config.svm.balance
        losses = {
            names: -log_softmax(of.sum(axis=0), axis=1)[np.arange(len(truth)), truth]
            for names, of in said.items()
        }
        self.uses_ = {names: _best(names, losses, weights) for names in self.machines_}
        own = np.full(shape, np.nan)
        owner = self.machine_of(unseen.present)
        for number, names in enumerate(self.machines_):
            own[:, owner == number] = said[names][:, owner == number]
        known = np.isfinite(own).all(axis=(0, 2))
        (decision, vote), y = own[:, known], truth[known]
        self.vote_share_ = best_vote_share(decision, vote, y)
        found = np.full(shape[1:], np.nan)
        found[known] = settled(decision, vote, vote_share=self.vote_share_)
        self.expected_ = Temperature.fitted(found[known], y)
        return found

    def machine_of(self, seen: Bool) -> Int64:
        """Return for each book the number of the machine that judges it, -1 for none."""
        number = {names: i for i, names in enumerate(self.machines_)}
        bit = {name: 1 << i for i, name in enumerate(self.modalities_)}
        machines = [(sum(bit[name] for name in names), number[self.uses_[names]]) for names in self.machines_]
        has = seen @ np.array(list(bit.values()))  # (n,): the book's modalities as a number
        owner = {
            one: next((of for names, of in machines if one & names == names), -1) for one in set(has.tolist())
        }
        return np.array([owner[one] for one in has.tolist()], np.int64)


def _best(
    names: tuple[str, ...], losses: Mapping[tuple[str, ...], Float64], weights: Float64
) -> tuple[str, ...]:
    """Return which of the modalities to judge by: all, unless fewer are better by more than chance.

    Parameters
    ----------
    names : tuple of str
    losses : mapping of tuple of str to float array (n_books,)
        Negative log likelihood by each machine of books that it has not seen; NaN of others.
    weights : float array (n_books,)
        As the machines weigh rare categories.
    """
    best, most = names, 0.0
    for fewer, loss in losses.items():
        if set(fewer) < set(names):
            gain = weights * (losses[names] - loss)
            gain = gain[np.isfinite(gain)]
            if len(gain) > 1 and gain.mean() > max(most, gain.std() / np.sqrt(len(gain))):
                best, most = fewer, gain.mean()
    return best


def _subsets(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Return every set of modalities but the empty one, the largest first."""
    return [s for size in range(len(names), 0, -1) for s in combinations(names, size)]


def shares(weights: Float64) -> Float64:
    """Return rows of weights as shares that sum to 1; a row of zeros stays one."""
    return np.asarray(weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9))
