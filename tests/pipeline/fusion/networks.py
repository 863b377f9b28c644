"""Small networks."""

import numpy as np

from classifier.pipeline.config import Config
from classifier.pipeline.features.base import Block
from classifier.pipeline.fusion.network import FusionNetwork
from tests.pipeline.feature_blocks import (
    log_probabilities,
)


def accuracy(fitted: FusionNetwork, blocks: dict[str, Block], y: np.ndarray, output: int = 0) -> float:
    return float((log_probabilities(fitted, blocks)[:, output].argmax(axis=1) == y).mean())


def network(*settings: str, seed: int = 0) -> FusionNetwork:
    tiny = [
        "network.width=16", "network.epochs=12", "network.batch=16", "network.dense_learning_rate=0.02",
        "network.vector_dropout=0.1",
    ]  # fmt: skip
    return FusionNetwork(settings=Config().with_settings([*tiny, *settings]).network, seed=seed)
