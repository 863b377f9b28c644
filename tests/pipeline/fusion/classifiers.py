"""Small fusion classifiers."""

import numpy as np

from classifier.pipeline.config import Config
from classifier.pipeline.features.base import Block
from classifier.pipeline.fusion.classifier import FusionClassifier

WORDS = ("words", "numbers")


def classifier(*settings: str, seed: int = 0) -> FusionClassifier:
    tiny = ["network.width=16", "network.epochs=12", "network.batch=16", "network.dense_learning_rate=0.02"]
    return FusionClassifier(config=Config().with_settings([*tiny, *settings]), seed=seed)


def take_rows(blocks: dict[str, Block], rows: np.ndarray) -> dict[str, Block]:
    return {kind: block.take(rows) for kind, block in blocks.items()}


def accuracy(fitted: FusionClassifier, blocks: dict[str, Block], y: np.ndarray) -> float:
    return float((fitted.predict_proba(blocks).argmax(axis=1) == y).mean())
