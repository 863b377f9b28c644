"""Integrated gradients against torch."""

from copy import copy

import numpy as np
import pytest
import torch

from classifier.pipeline.explanation.attribution import term_attributions
from classifier.pipeline.fusion.classifier import FusionClassifier, shares
from tests.pipeline.catalogues import TINY
from tests.pipeline.explanation.top_ranked import top_three


def differentiable(classifier, books, codes, names):
    """Return the scores of books that one machine judges, in torch, of the codes given."""
    n = len(books.present)
    seen = {name: torch.full((n,), name in names) for name in classifier.modalities_}
    predicted = [
        torch.log_softmax(network.module_.classify_codes(of, seen), dim=2)
        for network, of in zip(classifier.networks_, codes, strict=True)
    ]
    votes = torch.log_softmax(torch.stack(predicted).mean(dim=0), dim=2)
    machine = classifier.svms_[names]
    result = machine.vote_weight_ * votes[:, 0]
    parts = [torch.exp(votes[:, 0])]
    parts += [torch.exp(votes[:, 1 + classifier.modalities_.index(name)]) for name in names]
    parts += [torch.tensor(shares(books.linked[n])) for n in names if n in books.linked]
    above = (torch.cat([part.float() for part in parts], dim=1).sqrt() - 0.07).clamp(min=0)
    X = above**2 / (above + 0.07)
    values = X @ torch.tensor(machine.coef_).T + torch.tensor(machine.intercept_)
    every = (values.amin(dim=1, keepdim=True).clamp(max=0) - 1).repeat(1, machine.n_classes_)
    every[:, torch.tensor(machine.classes_)] = values
    result = result + machine.svm_weight_ * every
    used = (name for name in names if name in classifier.discriminants_)
    for weight, name in zip(machine.discriminant_weights_, used, strict=True):
        result = result + weight * torch.tensor(classifier.discriminants_[name].scores(books.features[name]))
    return result - result.mean(dim=1, keepdim=True)


def scaled(books, share):
    """Return the codes as tensors, those of the text a share of the way."""
    return [
        {name: torch.from_numpy(code) * (share if name == "text" else 1) for name, code in network.items()}
        for network in books.codes
    ]


def subsets_with_text(classifier, books):
    """Yield the modalities of each machine that judges by text, and the rows that it judges."""
    owner = classifier.svm_index(books.present)
    for number, names in enumerate(classifier.svms_):
        rows = np.flatnonzero(owner == number)
        if "text" in names and len(rows):
            yield names, rows


def test_differentiated_score_equals_the_prediction(model, books):
    classifier = copy(model.serving_classifier)
    classifier.vote_share_ = 1.0  # another share moves the category ahead, which has no gradient
    for names, rows in subsets_with_text(classifier, books):
        part = books.take(rows)
        with torch.no_grad():
            result = differentiable(classifier, part, scaled(part, 1), names).numpy()
        np.testing.assert_allclose(result, classifier.scores(part), atol=1e-4)


@pytest.fixture(scope="module")
def fewer(model, blocks, catalogue):
    """A classifier of another structure that knows of four categories and has learned of two."""
    known = [{"cooking": 1, "physics": 3}.get(book.category, -1) for book in catalogue.books]
    config = TINY.with_settings(["network.fusion=attention", "network.hidden=8", "network.activation=silu"])
    return FusionClassifier(config=config, seed=4).fit(blocks, np.array(known), n_classes=4)


@pytest.mark.parametrize("kind", ["all", "fewer"])
def test_attributions_equal_torch_gradients(kind, model, fewer, blocks):
    classifier = {"all": model.serving_classifier, "fewer": fewer}[kind]
    books = classifier.encode(blocks)
    categories = top_three(classifier.scores(books))
    values = blocks["text"].values
    gains = term_attributions(classifier, books, values, categories, name="text")
    expected = np.zeros_like(gains)
    for names, rows in subsets_with_text(classifier, books):
        part = books.take(rows)
        for share in ((1 - 3**-0.5) / 2, (1 + 3**-0.5) / 2):
            codes = scaled(part, share)
            starts = [network["text"].requires_grad_() for network in codes]
            result = differentiable(classifier, part, codes, names)
            for rank in range(categories.shape[1]):
                of_rank = result.gather(1, torch.from_numpy(categories[rows, rank : rank + 1])).sum()
                slopes = torch.autograd.grad(of_rank, starts, retain_graph=True)
                for network, slope in zip(classifier.networks_, slopes, strict=True):
                    table = network.module_.encoders["text"].table
                    for row, of in zip(rows, slope, strict=True):
                        own = slice(values.indptr[row], values.indptr[row + 1])
                        weighed = torch.from_numpy(values.data[own]) * (table[values.indices[own]] @ of)
                        expected[own, rank] += weighed.numpy() / 2
    assert np.abs(expected).max() > 0.005
    np.testing.assert_allclose(gains, expected, atol=1e-6)


def test_attributions_sum_to_the_gain_of_the_path(model, blocks):
    classifier = model.serving_classifier
    books = classifier.encode(blocks)
    categories = top_three(classifier.scores(books))
    values = blocks["text"].values
    gains = term_attributions(classifier, books, values, categories, name="text")
    assert gains.shape == (values.nnz, 3)
    for names, rows in subsets_with_text(classifier, books):
        rows = rows[books.present[rows, 0]]
        part = books.take(rows)
        with torch.no_grad():
            ends = [differentiable(classifier, part, scaled(part, share), names) for share in (0, 1)]
            added = (ends[1] - ends[0]).numpy()
        for row, gain in zip(rows, np.take_along_axis(added, categories[rows], axis=1), strict=True):
            total = gains[values.indptr[row] : values.indptr[row + 1]].sum(axis=0)
            np.testing.assert_allclose(total, gain, atol=0.05 + 0.02 * np.abs(gain).max())
