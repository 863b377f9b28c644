"""Short searches for tuning tests."""

from classifier.pipeline.training.tune import tune
from tests.pipeline.catalogues import TINY

#: Too few steps to learn all, so that better settings can be found.
CONFIG = TINY.with_settings(["network.epochs=3", "network.width=8", "training.folds=2"])
TRIALS = 6


def run(catalogue, folder, *, trials=TRIALS, **options):
    return tune(catalogue, **{"config": CONFIG, "seed": 1, "trials": trials, "folder": folder} | options)
