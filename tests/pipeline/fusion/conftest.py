"""Fixtures of the network tests."""

import pytest

from classifier.pipeline.fusion.network import FusionNetwork
from tests.pipeline.feature_blocks import (
    N_CLASSES,
    toy_blocks,
)
from tests.pipeline.fusion.networks import network


@pytest.fixture(scope="module")
def fitted() -> FusionNetwork:
    blocks, y = toy_blocks(90)
    return network().fit(blocks, y, n_classes=N_CLASSES)
