"""Cross-fitted networks: each is trained on all folds but one; for new books all vote.

An SVM trained on memorised predictions would trust them too much, so training books are predicted by the
network that has not seen them. Predictions for linked books transfer the text and covers of co-borrowed
titles, uncategorised ones included.

References
----------
Wolpert, Stacked Generalization, Neural Networks 5(2), 1992 (out-of-fold inputs of the second level).
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.special import log_softmax, softmax
from sklearn.preprocessing import normalize

from classifier.pipeline.config import Config
from classifier.pipeline.evaluation.splits import grouped_folds, stratified_folds
from classifier.pipeline.features.base import Block
from classifier.pipeline.fusion.architecture import FusionModule
from classifier.pipeline.fusion.fusion_layers import stack_modules
from classifier.pipeline.fusion.network import Codes, FusionNetwork, classify_codes
from classifier.pipeline.records import Bool, Float32, Float64, Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """Books encoded by the networks, with one of `codes` per network.

    Attributes
    ----------
    linked : (n_books, n_classes)
        By modality, mean probabilities of the linked books, weighted by the links.
    features : (n_books, d)
        By modality of vectors, its rows at unit length.
    """

    codes: list[Codes]
    linked: dict[str, Float64]
    present: Bool
    features: Mapping[str, Any]

    def take(self, rows: Int64) -> "Encoded":
        """Return some of the books."""
        return Encoded(
            codes=[{name: code[rows] for name, code in codes.items()} for codes in self.codes],
            linked={name: weights[rows] for name, weights in self.linked.items()},
            present=self.present[rows],
            features={name: values[rows] for name, values in self.features.items()},
        )


class NetworkEnsemble:
    """One network per fold, with `modalities_` in the order of the blocks at `cross_fit`.

    Attributes
    ----------
    beliefs_ : (n_known, n_classes)
        float16 probabilities of all books at `cross_fit`; empty without links.
    """

    def __init__(self, *, config: Config, seed: int) -> None:
        self.config = config
        self.seed = seed
        self._stacked: tuple[list[FusionNetwork], FusionModule] | None = None

    def cross_fit(
        self,
        blocks: Mapping[str, Block],
        y: Int64,
        *,
        n_classes: int,
        groups: Int64 | None,
        smoothing_matrix: Float32 | None,
        on_step: Callable[[int, int], None],
    ) -> tuple[Int64, Encoded]:
        """Train the networks; parameters and errors as for `FusionClassifier.fit`.

        Returns
        -------
        (n_learned,)
            Fold of each learned book.
        Encoded
            These books, each encoded by the network that had not seen it.
        """
        for name, block in blocks.items():
            if block.links is not None and block.links.shape != (len(y), len(y)):
                raise ValueError(f"{name} links {block.links.shape[1]} books; there are {len(y)}.")
        self.modalities_ = list(blocks)
        learned = np.flatnonzero(y >= 0)
        known, truth = _take(blocks, learned), y[learned]
        rng = np.random.default_rng(self.seed)
        folds = min(self.config.training.folds, len(truth))
        if groups is None or len(np.unique(groups[learned])) < folds:
            fold = stratified_folds(truth, folds=folds, rng=rng)
        else:
            fold = grouped_folds(groups[learned], folds=folds, rng=rng)
        self.networks_ = []
        for k in range(folds):

            def report_overall(done: int, total: int, k: int = k) -> None:
                on_step(k * total + done, folds * total)

            network = FusionNetwork(settings=self.config.network, seed=self.seed * 1000 + k)
            training = fold != k
            network.fit(
                _take(known, training),
                truth[training],
                n_classes=n_classes,
                smoothing_matrix=smoothing_matrix,
                on_step=report_overall,
            )
            self.networks_.append(network)
        return fold, self._encode_out_of_fold(blocks, learned, fold, n_classes)

    def encode(self, blocks: Mapping[str, Block]) -> Encoded:
        """Return books encoded by all networks; scoring encoded books is cheap."""
        blocks = {name: blocks[name] for name in self.modalities_}
        return Encoded(
            codes=[network.encode(blocks) for network in self.networks_],
            linked={
                name: _linked_probabilities(block.links, self.beliefs_)
                for name, block in blocks.items()
                if block.links is not None
            },
            present=_present(blocks),
            features=self._features(blocks),
        )

    def votes(
        self, books: Encoded, *, shown: Bool | None = None, heads: Collection[str] | None = None
    ) -> Float32:
        """Return the networks' mean log probabilities, (n_books, 1 + n_modalities, n_classes).

        Parameters
        ----------
        shown
            Modalities visible to the fusion.
        heads
            Modalities with their own votes; None: all.
        """
        visible = books.present if shown is None else books.present & shown
        module = self.stacked_module()
        votes = np.empty((len(visible), 1 + len(self.modalities_), module.n_classes), np.float32)
        for rows, log_probabilities in classify_codes(module, books.codes, visible, heads=heads):
            votes[rows] = log_softmax(log_probabilities.mean(axis=0), axis=2)
        return votes

    def out_of_fold_votes(self, books: Encoded, fold: Int64, *, shown: Bool) -> Float32:
        """Return log probabilities by the network that has not seen the book, shaped like `votes`.

        Parameters
        ----------
        books
            From `cross_fit`, or some of these.
        shown : (n_modalities,)
        """
        n_classes = self.networks_[0].module_.n_classes
        votes = np.zeros((len(fold), 1 + len(self.modalities_), n_classes), np.float32)
        for k, network in enumerate(self.networks_):
            in_fold = fold == k
            codes = {name: code[in_fold] for name, code in books.codes[0].items()}
            votes[in_fold] = network.classify_codes(codes, books.present[in_fold] & shown)
        return votes

    def stacked_module(self) -> FusionModule:
        """Return a module that evaluates all networks at once."""
        device = next(self.networks_[0].module_.parameters()).device
        if self._stacked is not None:
            networks, module = self._stacked
            if networks == self.networks_ and next(module.parameters()).device == device:
                return module
        module = stack_modules([network.module_ for network in self.networks_], exclude="encoders")
        self._stacked = list(self.networks_), module
        return module

    def _features(self, blocks: Mapping[str, Block]) -> dict[str, Any]:
        return {
            name: unit_rows(block.values) for name, block in blocks.items() if block.spec.kind == "vector"
        }

    def _encode_out_of_fold(
        self, blocks: Mapping[str, Block], learned: Int64, fold: Int64, n_classes: int
    ) -> Encoded:
        linked = [name for name, block in blocks.items() if block.links is not None]
        width = self.config.network.width
        codes: Codes = {name: np.zeros((len(learned), width), np.float32) for name in blocks}
        linked_probabilities = {name: np.zeros((len(learned), n_classes)) for name in linked}
        beliefs = np.zeros((len(blocks[linked[0]].present) if linked else 0, n_classes))
        present = _present(blocks)
        for k, network in enumerate(self.networks_):
            in_fold = np.flatnonzero(fold == k)
            if linked:
                all_codes = network.encode(blocks)
                log_probabilities = network.classify_codes(all_codes, present)[:, 0].astype(np.float64)
                beliefs += log_probabilities
                fold_codes = {name: code[learned[in_fold]] for name, code in all_codes.items()}
                for name in linked:
                    links: Any = blocks[name].links
                    linked_probabilities[name][in_fold] = links[learned[in_fold]] @ np.exp(log_probabilities)
            else:
                fold_codes = network.encode(_take(blocks, learned[in_fold]))
            for name, code in fold_codes.items():
                codes[name][in_fold] = code
        self.beliefs_ = softmax(beliefs / len(self.networks_), axis=1).astype(np.float16)
        return Encoded(
            codes=[codes],
            linked=linked_probabilities,
            present=present[learned],
            features=self._features(_take(blocks, learned)),
        )


def unit_rows(values: Any) -> Any:
    """Return the rows of an array at unit length; zero rows stay zero."""
    return normalize(values) if values.shape[0] else values


def _linked_probabilities(links: sp.csr_matrix, beliefs: Any) -> Any:
    """Return the weighted probabilities of linked books, (n_books, n_classes); reads used rows only."""
    if links.shape[1] != len(beliefs):
        raise ValueError(f"There are predictions for {len(beliefs)} books, not for {links.shape[1]}.")
    if not links.nnz:
        return np.zeros((links.shape[0], beliefs.shape[1]), np.float32)
    used, column = np.unique(links.indices, return_inverse=True)
    compact = sp.csr_matrix((links.data, column, links.indptr), shape=(links.shape[0], len(used)))
    return compact @ beliefs[used].astype(np.float32)


def _take(blocks: Mapping[str, Block], rows: Any) -> dict[str, Block]:
    return {name: block.take(rows) for name, block in blocks.items()}


def _present(blocks: Mapping[str, Block]) -> Bool:
    return np.column_stack([block.present for block in blocks.values()])
