"""The fusion classifier: blocks of features -> networks -> fused representation -> SVM -> probabilities.

The networks are cross-fitted. A network says of its own training books what it has learned by heart, and
a support vector machine trained on that learns to trust it too much. So each network is trained on all
folds but one, the machine is trained on what the networks say of books they have not seen, and for a new
book all networks vote. Hidden units of two networks have no common meaning; their probabilities do. So
the fused representation is, for the fusion and for each modality, the square roots of the probabilities of
all categories (Hellinger: a difference between 0.01 and 0.02 counts, one between 0.98 and 0.99 hardly).

References
----------
Wolpert, Stacked Generalization, Neural Networks 5(2), 1992 (out-of-fold inputs of the second level).
"""

from collections.abc import Callable, Mapping
from typing import Self

import numpy as np
from scipy.special import log_softmax

from classifier.pipeline.config import Config
from classifier.pipeline.modality import Block
from classifier.pipeline.network import FusionNetwork
from classifier.pipeline.records import Bool, Float32, Float64, Int64
from classifier.pipeline.splits import stratified_folds
from classifier.pipeline.svm import CalibratedSvm


class FusionClassifier:
    """Networks and a support vector machine over blocks of features.

    Parameters
    ----------
    config : Config
    seed : int

    Attributes
    ----------
    modalities_ : list of str
        In the order of the blocks at `fit`.
    networks_ : list of FusionNetwork
        One a fold.
    svm_ : CalibratedSvm
    """

    def __init__(self, *, config: Config, seed: int) -> None:
        self.config = config
        self.seed = seed

    def fit(
        self,
        blocks: Mapping[str, Block],
        y: Int64,
        *,
        n_classes: int,
        on_step: Callable[[int, int], None] = lambda done, total: None,
    ) -> Self:
        """Learn categories y (n_books,) from blocks of the same books.

        Parameters
        ----------
        blocks : mapping of str to Block
        y : int array (n_books,)
            At least two different values.
        n_classes : int
        on_step : callable
            Called with (steps done, steps in all).
        """
        self.modalities_ = list(blocks)
        self.networks_ = []
        rng = np.random.default_rng(self.seed)
        folds = min(self.config.training.folds, len(y))
        fold = stratified_folds(y, folds=folds, rng=rng)
        unseen = np.zeros((len(y), 1 + len(blocks), n_classes), np.float32)
        for k in range(folds):

            def in_all(done: int, total: int, k: int = k) -> None:
                on_step(k * total + done, folds * total)

            network = FusionNetwork(settings=self.config.network, seed=self.seed * 1000 + k)
            network.fit(_take(blocks, fold != k), y[fold != k], n_classes=n_classes, on_step=in_all)
            unseen[fold == k] = _log_probabilities(network, _take(blocks, fold == k))
            self.networks_.append(network)
        fused = _representation(unseen, _present(blocks))
        self.svm_ = CalibratedSvm(settings=self.config.svm, seed=self.seed).fit(fused, y, n_classes=n_classes)
        return self

    def represent(self, blocks: Mapping[str, Block]) -> Float32:
        """Return the fused representation, (n_books, (1 + n_modalities) * n_classes)."""
        blocks = {name: blocks[name] for name in self.modalities_}
        return _representation(self.log_probabilities(blocks), _present(blocks))

    def log_probabilities(self, blocks: Mapping[str, Block]) -> Float32:
        """Return the networks' mean log probabilities, (n_books, 1 + n_modalities, n_classes)."""
        blocks = {name: blocks[name] for name in self.modalities_}
        votes = [_log_probabilities(network, blocks) for network in self.networks_]
        return np.asarray(np.mean(votes, axis=0), np.float32)

    def predict_proba(self, blocks: Mapping[str, Block]) -> Float64:
        """Return calibrated probabilities, (n_books, n_classes)."""
        return self.svm_.predict_proba(self.represent(blocks))


def _take(blocks: Mapping[str, Block], rows: Bool) -> dict[str, Block]:
    return {name: block.take(rows) for name, block in blocks.items()}


def _present(blocks: Mapping[str, Block]) -> Bool:
    """Return who has what, (n_books, n_modalities)."""
    return np.column_stack([block.present for block in blocks.values()])


def _log_probabilities(network: FusionNetwork, blocks: Mapping[str, Block]) -> Float32:
    return np.asarray(log_softmax(network.predict_logits(blocks), axis=2), np.float32)


def _representation(log_probabilities: Float32, present: Bool) -> Float32:
    """Return square roots of probabilities; all zero, as no probabilities are, where a modality is absent."""
    roots = np.exp(log_probabilities / 2)
    roots /= np.maximum(np.linalg.norm(roots, axis=2, keepdims=True), 1e-12)  # a mean of logs sums to less
    roots[:, 1:] *= present[:, :, None]
    return roots.reshape(len(roots), -1)
