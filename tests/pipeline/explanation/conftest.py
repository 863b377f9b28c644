"""Fixtures of the explanation tests."""

import numpy as np
import pytest

from classifier.pipeline.fusion.classifier import FusionClassifier
from tests.pipeline.catalogues import TINY


@pytest.fixture(scope="module")
def model(trained):
    return trained.model


@pytest.fixture(scope="module")
def blocks(model, catalogue):
    return model.extractor.transform(catalogue)


@pytest.fixture(scope="module")
def books(model, blocks):
    return model.serving_classifier.encode(blocks)


@pytest.fixture(scope="module")
def indirect(model, blocks, catalogue):
    """A classifier of the same books whose machines see the networks' probabilities alone."""
    y = np.array([model.classes.index(b.category) if b.category else -1 for b in catalogue.books])
    config = TINY.with_settings(["svm.direct_below=1"])
    return FusionClassifier(config=config, seed=3).fit(blocks, y, n_classes=len(model.classes))
