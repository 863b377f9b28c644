"""What each weighted term of a book brought to its score: integrated gradients.

The score is differentiated with respect to the book's code, averaged along the straight path from no term
at all (a code of zeros) to the book, and multiplied by what each term adds to the code. The sum over the
terms is what the score gains on that path, but for the error of the few points the path is read at.

References
----------
Sundararajan, Taly & Yan, Axiomatic Attribution for Deep Networks, ICML 2017.
"""

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from scipy.special import log_softmax

from classifier.pipeline.fusion.classifier import FusionClassifier
from classifier.pipeline.fusion.cross_fitting import Encoded
from classifier.pipeline.fusion.network import one_thread
from classifier.pipeline.records import Float32, Int64

_POINTS = 2
_AT, _WEIGHTS = np.polynomial.legendre.leggauss(_POINTS)  # from -1 to 1
"""Gauss's and Legendre's: on 99 categories the sum is within 0.2 % of the gain, by one within 8 %."""
_BATCH = 512  # books differentiated at a time: some 50 MB with a hundred categories


@one_thread()
def term_gains(
    classifier: FusionClassifier,
    books: Encoded,
    values: sp.csr_matrix,
    categories: Int64,
    *,
    name: str,
) -> Float32:
    """Return what each stored value of a sparse block brought to the scores of some categories.

    With an rbf kernel only the networks' votes are differentiated: its decision has no gradient that is
    cheap. Then the gains miss what the support vector machine adds.

    Parameters
    ----------
    classifier : FusionClassifier
    books : Encoded
        As `classifier.encode` gives them.
    values : CSR matrix (n_books, n_terms)
        The block of the modality.
    categories : int array (n_books, n_asked)
    name : str
        Of the modality.

    Returns
    -------
    float array (values.nnz, n_asked)
    """
    slopes = _slopes(classifier, books, categories, name)
    gains = np.zeros((values.nnz, categories.shape[1]), np.float32)
    columns, ends = values.indices.astype(np.intp), values.indptr.tolist()
    vectors = np.empty((int(np.diff(values.indptr).max(initial=0)), slopes.shape[2]), np.float32)
    for network, of in zip(classifier.networks_, slopes, strict=True):
        encoder: Any = network.module_.encoders[name]
        table = encoder.table.cpu().numpy()
        for slope, start, end in zip(of, ends[:-1], ends[1:], strict=True):
            # Into one place in memory, and unchecked ("clip"): half the time of table[columns].
            own = np.take(table, columns[start:end], axis=0, out=vectors[: end - start], mode="clip")
            gains[start:end] += own @ slope
    return np.asarray(gains * values.data[:, None])


def _slopes(classifier: FusionClassifier, books: Encoded, categories: Int64, name: str) -> Float32:
    """Return the mean gradient of the scores with respect to the codes, zeros where these do not count.

    Returns
    -------
    float array (n_networks, n_books, width, n_asked)
    """
    n, asked = categories.shape
    slopes = np.zeros((len(books.codes), n, books.codes[0][name].shape[1], asked), np.float32)
    owner = classifier.machine_of(books.present)
    for number, names in enumerate(classifier.machines_):
        if name not in names:
            continue
        rows = np.flatnonzero(owner == number)
        for start in range(0, len(rows), _BATCH):
            part = rows[start : start + _BATCH]
            slopes[:, part] = _slopes_of(classifier, books.take(part), categories[part], names, name)
    return slopes


def _slopes_of(
    classifier: FusionClassifier, books: Encoded, categories: Int64, names: tuple[str, ...], name: str
) -> Float32:
    """Return the mean gradient for books that one machine judges, all points of the path at once.

    Through the networks torch goes back, for all categories together; what follows them is written out.
    """
    n, asked = categories.shape
    rows = np.tile(np.arange(n), _POINTS)
    path = books.take(rows)
    steps = np.repeat(((_AT + 1) / 2).astype(np.float32), n)[:, None]
    together = classifier.together()
    device = next(together.parameters()).device
    shown = {of: torch.full((len(rows),), of in names, device=device) for of in classifier.modalities_}
    codes = {
        of: torch.from_numpy(np.stack([network[of] for network in path.codes])).to(device)
        for of in classifier.modalities_
    }
    with torch.enable_grad():
        start = codes[name] = (codes[name] * torch.from_numpy(steps).to(device)).requires_grad_()
        logits = together.read(
            codes, shown, alone=names
        )  # (n_networks, _POINTS * n, 1 + modalities, classes)
    mean = logits.detach().mean(dim=0).cpu().numpy()
    rise = rises(classifier, path, mean, categories[rows], names)
    rise *= np.repeat((_WEIGHTS / 2 / len(logits)).astype(np.float32), n)[:, None, None]
    back = torch.from_numpy(rise).to(device)[:, None].expand(-1, len(logits), -1, -1, -1)
    (slopes,) = torch.autograd.grad(logits, start, back, is_grads_batched=True)
    every = slopes.view(asked, len(logits), _POINTS, n, -1).sum(dim=2)
    return np.asarray(every.permute(1, 2, 3, 0).cpu())


def rises(
    classifier: FusionClassifier,
    books: Encoded,
    logits: Float32,
    categories: Int64,
    names: tuple[str, ...],
) -> Float32:
    """Return the gradient of scores with respect to the mean logits of the networks.

    Parameters
    ----------
    classifier : FusionClassifier
    books : Encoded
        Books that have `names`.
    logits : float array (n_books, 1 + n_modalities, n_classes)
        Of modalities that are not among `names` they are not read.
    categories : int array (n_books, n_asked)
    names : tuple of str
        The modalities of the machine that judges the books.

    Returns
    -------
    float array (n_asked, n_books, 1 + n_modalities, n_classes)
    """
    n, asked = categories.shape
    votes = log_softmax(logits, axis=2)
    machine = classifier.machines_[names]
    # The mean of a book's scores is taken off them.
    wanted = np.full((asked, n, votes.shape[2]), -1 / votes.shape[2], np.float32)
    wanted[np.arange(asked)[:, None], np.arange(n), categories.T] += 1
    rise = np.zeros((asked, *votes.shape), np.float32)
    rise[:, :, 0] = np.float32(machine.vote_weight_) * wanted
    if classifier.config.svm.kernel == "linear":
        chosen = classifier.positions(names)
        X = classifier.represent(books, votes, names)
        of_X = np.float32(machine.svm_weight_) * machine.decision_slopes(X, wanted)
        width = len(chosen) * votes.shape[2]  # what follows is of linked books
        of_votes = (of_X[..., :width] * X[:, :width] / 2).reshape(asked, n, len(chosen), -1)
        rise[:, :, chosen] += of_votes
    rise -= np.exp(votes) * rise.sum(axis=3, keepdims=True)
    return rise
