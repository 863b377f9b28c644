"""A catalogue and a model trained on it, made once for all tests that only read them."""

import pytest

from classifier.pipeline.records import Catalogue
from classifier.pipeline.training import Training, train
from tests.pipeline.catalogues import TINY, make_catalogue


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory) -> Catalogue:
    return make_catalogue(tmp_path_factory.mktemp("covers"))


@pytest.fixture(scope="session")
def trained(catalogue) -> Training:
    return train(catalogue, config=TINY, seed=3)
