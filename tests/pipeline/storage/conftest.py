"""Fixtures of the storage tests."""

import shutil
from pathlib import Path

import pytest

from classifier.pipeline.storage.artifact import save_model


@pytest.fixture(scope="module")
def stored(trained, tmp_path_factory) -> Path:
    """A stored model that no test changes."""
    folder = tmp_path_factory.mktemp("models") / "v1"
    save_model(trained.model, folder)
    return folder


@pytest.fixture(scope="module")
def damaged(stored, tmp_path_factory) -> Path:
    """A copy for tests that spoil one file and put it right again."""
    return Path(shutil.copytree(stored, tmp_path_factory.mktemp("spoilt") / "v1"))


@pytest.fixture
def copied(stored, tmp_path) -> Path:
    """A copy of a test's own."""
    return Path(shutil.copytree(stored, tmp_path / "v1"))
