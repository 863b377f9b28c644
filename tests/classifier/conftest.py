"""What tests of a model that answers share."""

from pathlib import Path

import pytest

from tests.classifier.serving_process import trained_library


@pytest.fixture(scope="session")
def kept_versions(tmp_path_factory) -> Path:
    """Where versions are kept that were trained for the first tests that asked for one."""
    return tmp_path_factory.mktemp("versions")


@pytest.fixture
def trained(data_folder, kept_versions) -> dict[str, str]:
    """A library with covers and an active version; which notation fits which uncategorised book."""
    return trained_library(kept_versions, covers=True)
