"""What tests of a model that answers share."""

from pathlib import Path

import pytest

from tests.classifier.served import trained_library


@pytest.fixture(scope="session")
def kept_version(tmp_path_factory) -> Path:
    """Where the files of a version are kept that was trained for the first test that asked for one."""
    return tmp_path_factory.mktemp("version")


@pytest.fixture
def trained(data_folder, kept_version) -> dict[str, str]:
    """A library with covers and an active version; which notation fits which uncategorised book."""
    return trained_library(kept_version)
