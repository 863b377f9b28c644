"""Cross-fitted networks: each is trained on all folds of the books but one, and for a new book all vote.

A network says of its own training books what it has learned by heart, and what is trained on that trusts it
too much. So of a book that they were fitted on, only the network is asked that has not seen it.

What the networks say of linked books carries the texts and covers of co-borrowed titles over to a book,
those of titles nobody has categorised too.

References
----------
Wolpert, Stacked Generalization, Neural Networks 5(2), 1992 (out-of-fold inputs of the second level).
"""

from collections.abc import Callable, Collection, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from scipy.special import log_softmax, softmax

from classifier.pipeline.config import Config
from classifier.pipeline.evaluation.splits import grouped_folds, stratified_folds
from classifier.pipeline.features.base import Block
from classifier.pipeline.fusion.architecture import FusionModule
from classifier.pipeline.fusion.fusion_layers import side_by_side
from classifier.pipeline.fusion.network import Codes, FusionNetwork, read
from classifier.pipeline.records import Bool, Float32, Float64, Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """Books as the networks have encoded them.

    Attributes
    ----------
    codes : list of Codes
        One a network.
    linked : dict of str to float array (n_books, n_classes)
        By modality: the probabilities of the linked books, weighted by their nearness.
    present : bool array (n_books, n_modalities)
    """

    codes: list[Codes]
    linked: dict[str, Float64]
    present: Bool

    def take(self, rows: Int64) -> "Encoded":
        """Return some of the books."""
        return Encoded(
            codes=[{name: code[rows] for name, code in codes.items()} for codes in self.codes],
            linked={name: weights[rows] for name, weights in self.linked.items()},
            present=self.present[rows],
        )


class NetworkEnsemble:
    """Networks over blocks of features, one a fold.

    Parameters
    ----------
    config : Config
    seed : int

    Attributes
    ----------
    modalities_ : list of str
        In the order of the blocks at `cross_fit`.
    networks_ : list of FusionNetwork
        One a fold.
    beliefs_ : float16 array (n_known, n_classes)
        What the networks say of every book at `cross_fit`; without rows where no modality links books.
    """

    def __init__(self, *, config: Config, seed: int) -> None:
        self.config = config
        self.seed = seed
        self._together: tuple[list[FusionNetwork], FusionModule] | None = None

    def cross_fit(
        self,
        blocks: Mapping[str, Block],
        y: Int64,
        *,
        n_classes: int,
        groups: Int64 | None,
        kinship: Float32 | None,
        on_step: Callable[[int, int], None],
    ) -> tuple[Int64, Encoded]:
        """Train the networks, with parameters as `FusionClassifier.fit` takes them.

        Returns
        -------
        int array (n_learned,), Encoded
            Of each book learned from its fold, and how the network encodes it that has not seen it.

        Raises
        ------
        ValueError
            If a block links to other books than the blocks are of.
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

            def in_all(done: int, total: int, k: int = k) -> None:
                on_step(k * total + done, folds * total)

            network = FusionNetwork(settings=self.config.network, seed=self.seed * 1000 + k)
            rest = fold != k
            network.fit(_take(known, rest), truth[rest], n_classes=n_classes, kinship=kinship, on_step=in_all)
            self.networks_.append(network)
        return fold, self._encode_unseen(blocks, learned, fold, n_classes)

    def only(self, network: int) -> Self:
        """Return this classifier with one of its networks, as books are judged by it that it has not seen."""
        one = copy(self)
        one.networks_ = [self.networks_[network]]
        return one

    def encode(self, blocks: Mapping[str, Block]) -> Encoded:
        """Return books as the networks see them; what follows is cheap and can be asked many times."""
        blocks = {name: blocks[name] for name in self.modalities_}
        return Encoded(
            codes=[network.encode(blocks) for network in self.networks_],
            linked={
                name: _told(block.links, self.beliefs_)
                for name, block in blocks.items()
                if block.links is not None
            },
            present=_present(blocks),
        )

    def votes(
        self, books: Encoded, *, shown: Bool | None = None, alone: Collection[str] | None = None
    ) -> Float32:
        """Return the networks' mean log probabilities, (n_books, 1 + n_modalities, n_classes).

        Parameters
        ----------
        books : Encoded
        shown : bool array (n_books, n_modalities), optional
            What the fusion sees of what is present; left out, everything.
        alone : collection of str, optional
            The modalities whose own votes are wanted; left out, all.
        """
        seen = books.present if shown is None else books.present & shown
        module = self.together()
        votes = np.empty((len(seen), 1 + len(self.modalities_), module.n_classes), np.float32)
        for rows, said in read(module, books.codes, seen, alone=alone):
            votes[rows] = log_softmax(said.mean(axis=0), axis=2)
        return votes

    def votes_unseen(self, books: Encoded, fold: Int64, *, shown: Bool) -> Float32:
        """Return the log probabilities by the network that has not seen the book, shaped as `votes`.

        Parameters
        ----------
        books : Encoded
            As `cross_fit` returned them, or some of these.
        fold : int array (n_books,)
        shown : bool array (n_modalities,)
            What the fusion sees of what is present.
        """
        n_classes = self.networks_[0].module_.n_classes
        votes = np.zeros((len(fold), 1 + len(self.modalities_), n_classes), np.float32)
        for k, network in enumerate(self.networks_):
            of = fold == k
            codes = {name: code[of] for name, code in books.codes[0].items()}
            votes[of] = network.read(codes, books.present[of] & shown)
        return votes

    def together(self) -> FusionModule:
        """Return what reads the codes of all networks at once."""
        device = next(self.networks_[0].module_.parameters()).device
        if self._together is not None:
            networks, module = self._together
            if networks == self.networks_ and next(module.parameters()).device == device:
                return module
        module = side_by_side([network.module_ for network in self.networks_], without="encoders")
        self._together = list(self.networks_), module
        return module

    def _encode_unseen(
        self, blocks: Mapping[str, Block], learned: Int64, fold: Int64, n_classes: int
    ) -> Encoded:
        """Encode each book learned from by the network that has not seen it."""
        linked = [name for name, block in blocks.items() if block.links is not None]
        width = self.config.network.width
        codes: Codes = {name: np.zeros((len(learned), width), np.float32) for name in blocks}
        told = {name: np.zeros((len(learned), n_classes)) for name in linked}
        beliefs = np.zeros((len(blocks[linked[0]].present) if linked else 0, n_classes))
        present = _present(blocks)
        for k, network in enumerate(self.networks_):
            out = np.flatnonzero(fold == k)
            if linked:
                every = network.encode(blocks)
                said = network.read(every, present)[:, 0].astype(np.float64)
                beliefs += said
                found = {name: code[learned[out]] for name, code in every.items()}
                for name in linked:
                    told[name][out] = blocks[name].links[learned[out]] @ np.exp(said)  # type: ignore[index]
            else:
                found = network.encode(_take(blocks, learned[out]))
            for name, code in found.items():
                codes[name][out] = code
        self.beliefs_ = softmax(beliefs / len(self.networks_), axis=1).astype(np.float16)
        return Encoded(codes=[codes], linked=told, present=present[learned])


def _told(links: sp.csr_matrix, beliefs: Any) -> Any:
    """Return what is believed of linked books, weighted, (n_books, n_classes); no other beliefs are read."""
    if links.shape[1] != len(beliefs):
        raise ValueError(f"There are beliefs of {len(beliefs)} books, not of {links.shape[1]}.")
    if not links.nnz:
        return np.zeros((links.shape[0], beliefs.shape[1]), np.float32)
    used, column = np.unique(links.indices, return_inverse=True)
    compact = sp.csr_matrix((links.data, column, links.indptr), shape=(links.shape[0], len(used)))
    return compact @ beliefs[used].astype(np.float32)


def _take(blocks: Mapping[str, Block], rows: Any) -> dict[str, Block]:
    return {name: block.take(rows) for name, block in blocks.items()}


def _present(blocks: Mapping[str, Block]) -> Bool:
    """Return who has what, (n_books, n_modalities)."""
    return np.column_stack([block.present for block in blocks.values()])
