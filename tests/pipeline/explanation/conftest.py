"""Fixtures of the explanation tests."""

import pytest


@pytest.fixture(scope="module")
def model(trained):
    return trained.model


@pytest.fixture(scope="module")
def blocks(model, catalogue):
    return model.extractor.transform(catalogue)


@pytest.fixture(scope="module")
def books(model, blocks):
    return model.serving_classifier.encode(blocks)
