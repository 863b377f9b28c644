"""Fixtures of a trained model."""

from pathlib import Path

import pytest

from tests.classifier.serving_process import trained_library


@pytest.fixture(scope="session")
def version_cache(tmp_path_factory) -> Path:
    """Folder of versions that were trained for an earlier test of the session."""
    return tmp_path_factory.mktemp("versions")


@pytest.fixture
def trained(data_folder, version_cache) -> dict[str, str]:
    """Create a library with covers and an active version; return the right categories."""
    return trained_library(version_cache, covers=True)
