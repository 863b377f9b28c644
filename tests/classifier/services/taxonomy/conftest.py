"""Categories and a trained version."""

import pytest

from library.catalogue.models import Category
from tests.classifier.serving_process import trained_library
from tests.factories import make_category


@pytest.fixture
def three(db):
    """Categories a, b and c."""
    return [make_category(notation=notation) for notation in "abc"]


@pytest.fixture
def trained(data_folder, version_cache, db):
    """A small library and the version that was trained on it; its categories by notation."""
    trained_library(version_cache)
    return {category.notation: category for category in Category.objects.all()}
