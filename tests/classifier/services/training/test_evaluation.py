"""Reproducibility of training, and evaluation of stored versions."""

import json
from itertools import pairwise

import numpy as np
import pytest

from classifier.errors import ClassifierError
from classifier.models import ModelVersion
from classifier.selectors.records import all_books, catalogue
from classifier.services.registry.versions import folder_of, load_version
from classifier.services.runs.context import JobContext
from classifier.services.training.training import evaluate, train
from tests.classifier.libraries import QUICK, make_library
from tests.classifier.version_files import damage
from tests.factories import NOW

pytestmark = pytest.mark.django_db


def manifest(name):
    return json.loads((folder_of(name=name) / "manifest.json").read_text())


def trained(seed):
    name = train(JobContext(now=NOW), seed=seed, settings=QUICK)["version"]
    return load_version(version=ModelVersion.objects.get(name=name)), manifest(name)["files"]


def test_one_seed_gives_one_model():
    make_library(covers=True)
    books = catalogue(all_books())
    (first, files), (second, same_files) = trained(3), trained(3)
    assert files == same_files
    assert np.array_equal(first.predict_proba(books), second.predict_proba(books))


def test_another_seed_gives_another_model():
    make_library()
    books = catalogue(all_books())
    (first, _), (second, _) = trained(1), trained(2)
    assert not np.array_equal(first.predict_proba(books), second.predict_proba(books))


def test_evaluating_gives_exactly_the_stored_figures():
    make_library(covers=True)
    train(JobContext(now=NOW), settings=QUICK)
    version = ModelVersion.objects.get()
    result = evaluate(version=version)
    assert (result["version"], result["active"]) == (version.name, True)
    about_training = {"books", "categorised", "categories", "notes"}
    assert result["metrics"] == {k: v for k, v in version.metrics.items() if k not in about_training}
    assert {"fused", "text", "cover", "loans", "majority"} < result["metrics"].keys()


def test_evaluating_a_damaged_version_names_the_file():
    make_library()
    name = train(JobContext(now=NOW), settings=QUICK)["version"]
    damage(name)
    with pytest.raises(ClassifierError, match=f"{name}/model.json has been altered") as caught:
        evaluate(version=ModelVersion.objects.get())
    assert caught.value.extra == {"file": "model.json"}


def test_each_phase_of_training_goes_forward_and_ends():
    make_library()
    steps: dict[str, list[tuple[int, int]]] = {}
    train(
        JobContext(now=NOW, progress=lambda phase, *step: steps.setdefault(phase, []).append(step)),
        settings=QUICK,
    )
    assert {"training", "training again with the test books"} <= steps.keys()
    for phase in steps.values():
        assert all(before[0] <= after[0] for before, after in pairwise(phase))
        assert phase[-1][0] == phase[-1][1]
