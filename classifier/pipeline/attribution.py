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
from torch import Tensor

from classifier.pipeline.fusion import Encoded, FusionClassifier, shares
from classifier.pipeline.network import one_thread
from classifier.pipeline.records import Float32, Float64, Int64
from classifier.pipeline.svm import FusedSvm

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
    """Return the mean gradient for books that one machine judges, all points of the path at once."""
    steps = torch.from_numpy(((_AT + 1) / 2).astype(np.float32))
    part = torch.from_numpy((_WEIGHTS / 2).astype(np.float32))
    device = next(classifier.networks_[0].module_.parameters()).device
    n = len(categories)
    with torch.enable_grad():
        codes = [
            {of: torch.from_numpy(code).to(device).repeat(_POINTS, 1) for of, code in network.items()}
            for network in books.codes
        ]
        paths = []
        for network in codes:
            path = network[name] * steps.repeat_interleave(n)[:, None].to(device)
            network[name] = path.requires_grad_()
            paths.append(path)
        asked = torch.from_numpy(categories).to(device).repeat(_POINTS, 1)
        found = scores(classifier, books, codes, names).gather(1, asked)  # (_POINTS * n, n_asked)
        found = (found.view(_POINTS, n, -1) * part.to(device)[:, None, None]).sum(dim=(0, 1))
        slopes = [torch.autograd.grad(total, paths, retain_graph=True) for total in found]
    every = torch.stack([torch.stack(of) for of in slopes], dim=3)  # (networks, _POINTS * n, width, asked)
    of_points = every.view(len(codes), _POINTS, n, *every.shape[2:])
    return np.asarray(of_points.sum(dim=1).cpu())


def scores(
    classifier: FusionClassifier, books: Encoded, codes: list[dict[str, Tensor]], names: tuple[str, ...]
) -> Tensor:
    """Return what `FusionClassifier.scores` does, differentiable, of books that one machine judges.

    Parameters
    ----------
    classifier : FusionClassifier
    books : Encoded
        Books that have `names`.
    codes : list of dict of str to tensor (n_points * n_books, width)
        One a network, in the place of the books' own.
    names : tuple of str
        The modalities of the machine.

    Returns
    -------
    tensor (n_points * n_books, n_classes)
    """
    n = len(next(iter(codes[0].values())))
    device = next(iter(codes[0].values())).device
    seen = {
        name: torch.full((n,), name in names, dtype=torch.bool, device=device)
        for name in classifier.modalities_
    }
    said = [
        torch.log_softmax(network.module_.read(of, seen, alone=names), dim=2)
        for network, of in zip(classifier.networks_, codes, strict=True)
    ]
    votes = torch.log_softmax(torch.stack(said).mean(dim=0), dim=2)  # (n, 1 + n_modalities, n_classes)
    machine = classifier.machines_[names]
    found = machine.vote_weight_ * votes[:, 0]
    if classifier.config.svm.kernel == "linear":
        chosen = [0] if len(classifier.modalities_) > 1 else []
        chosen += [1 + classifier.modalities_.index(name) for name in names]
        parts = [torch.exp(votes[:, position] / 2) for position in chosen]
        for name in names:
            if name in books.linked:
                near = _tensor(np.sqrt(shares(books.linked[name])), found)
                parts.append(near.repeat(n // len(near), 1))
        found = found + machine.svm_weight_ * _decision(machine, torch.cat(parts, dim=1))
    return found - found.mean(dim=1, keepdim=True)


def _decision(machine: FusedSvm, X: Tensor) -> Tensor:
    """Return what `FusedSvm.decision` does of a linear machine, differentiable."""
    svc = machine.machine_
    values = X @ _tensor(svc.coef_, X).T + _tensor(svc.intercept_, X)
    if values.shape[1] == 1:
        values = torch.cat([-values, values], dim=1)
    lowest = values.amin(dim=1, keepdim=True).clamp(max=0)
    every = (lowest - 1).repeat(1, machine.n_classes_)
    every[:, torch.from_numpy(svc.classes_).to(X.device)] = values
    return every


def _tensor(array: Float64 | Any, like: Tensor) -> Tensor:
    return torch.from_numpy(np.asarray(array, np.float32)).to(like.device)
