"""A catalogue and a model trained on it, shared by all tests that only read them."""

from pathlib import Path

import pytest

from classifier.pipeline.config import Config
from classifier.pipeline.records import Catalogue
from classifier.pipeline.training.train import TrainingResult, train
from tests.pipeline.catalogues import TINY, make_catalogue
from tests.pipeline.sentence_encoders import make_encoder


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory) -> Catalogue:
    return make_catalogue(tmp_path_factory.mktemp("covers"))


@pytest.fixture(scope="session")
def trained(catalogue) -> TrainingResult:
    return train(catalogue, config=TINY, seed=3)


@pytest.fixture(scope="session")
def encoder(tmp_path_factory) -> Path:
    """The folder of a sentence encoder; for reading only."""
    return make_encoder(tmp_path_factory.mktemp("encoders") / "encoder")


@pytest.fixture(scope="session")
def everything(encoder) -> Config:
    """Settings with which every modality of the registry is read."""
    return TINY.with_settings([f"sentence.model={encoder}"])
