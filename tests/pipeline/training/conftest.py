"""Fixtures of the tuning tests."""

import pytest

from classifier.pipeline.records import Catalogue
from tests.pipeline.catalogues import make_catalogue


@pytest.fixture(scope="module")
def shelf(tmp_path_factory) -> Catalogue:
    return make_catalogue(tmp_path_factory.mktemp("covers"), covers=False, audio=False)
