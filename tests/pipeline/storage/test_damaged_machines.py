"""Stored models with foreign or inconsistent support vector machines."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC, LinearSVC
from skops.io import dumps, get_untrusted_types, loads

from classifier.pipeline.storage.artifact import save_model
from classifier.pipeline.training.train import train
from tests.pipeline.catalogues import TINY
from tests.pipeline.storage.damaged_models import names_file, refusal
from tests.pipeline.stored_models import (
    changed,
    sign,
)


@pytest.mark.parametrize(
    "uses", [{}, {"text": "cover"}, {"cover": "text+cover"}, {"text": "nothing"}, {"text": 1}, None]
)
def test_uses_must_name_existing_svms(damaged, uses):
    about = json.loads((damaged / "model.json").read_bytes())
    part = about["parts"]["serving"]
    part["uses"] = uses and part["uses"] | uses
    with changed(damaged, "model.json", json.dumps(about).encode(), signed=True):
        assert names_file(refusal(damaged), "model.json")


class Foreign:
    """Something a model has no use for."""


class Trap:
    """Something that springs when it is loaded."""

    sprung = False

    def __getstate__(self) -> dict[str, int]:
        return {"bait": 1}

    def __setstate__(self, state: dict[str, int]) -> None:
        Trap.sprung = True


def shout(X: Any) -> Any:
    """Stand for code that a file could bring."""
    return X


@pytest.mark.parametrize("part", ["serving", "judged"])
@pytest.mark.parametrize("thing", [Foreign(), Trap(), FunctionTransformer(shout), {"text": shout}, [Foreign]])
def test_foreign_types_are_not_loaded(copied, part, thing):
    name = f"{part}.skops"
    (copied / name).write_bytes(dumps(thing))
    sign(copied, name)
    error = refusal(copied)
    assert error.message.startswith(f"{name} contains unexpected types: ")
    assert error.extra == {"file": name}
    assert not Trap.sprung


def test_trap_works_when_loaded():
    try:
        loads(dumps(Trap()), trusted=get_untrusted_types(data=dumps(Trap())))
        assert Trap.sprung
    finally:
        Trap.sprung = False


def machines(folder: Path) -> dict[str, Any]:
    return loads((folder / "serving.skops").read_bytes())


X = np.random.default_rng(0).normal(size=(12, 4))


@pytest.mark.parametrize(
    "things",
    [
        {},
        [],
        3,
        LinearSVC().fit(X, np.arange(12) % 2),
        dict.fromkeys(["text", "smell"], 1),
    ],
)
def test_missing_or_foreign_machines_are_rejected(copied, things):
    (copied / "serving.skops").write_bytes(dumps(things))
    sign(copied, "serving.skops")
    assert refusal(copied).extra == {"file": "serving.skops"}


def _grown(machine: LinearSVC, n_classes: int) -> LinearSVC:
    width = machine.coef_.shape[1]
    rows = np.random.default_rng(0).normal(size=(n_classes * 3, width))
    return LinearSVC().fit(rows, np.arange(len(rows)) % n_classes)


def _not_finite(machine: LinearSVC) -> LinearSVC:
    machine.coef_ = machine.coef_ * np.nan
    return machine


@pytest.mark.parametrize(
    "change",
    [
        lambda machine: LinearSVC(),
        lambda machine: LinearSVC().fit(X, np.arange(12) % 3),
        lambda machine: _grown(machine, 5),
        lambda machine: RandomForestClassifier(2).fit(X, np.arange(12) % 3),
        lambda machine: SVC(kernel="rbf").fit(X, np.arange(12) % 3),
        lambda machine: None,
        _not_finite,
    ],
    ids=[
        "unfitted",
        "of other numbers",
        "of more classes",
        "a forest",
        "of other numbers, rbf",
        "none",
        "NaN",
    ],
)
def test_machine_of_another_size_is_rejected(copied, change):
    result = machines(copied)
    name = list(result)[-1]
    result[name] = change(result[name])
    (copied / "serving.skops").write_bytes(dumps(result))
    sign(copied, "serving.skops")
    assert refusal(copied).extra == {"file": "serving.skops"}


@pytest.fixture(scope="module")
def kernel_machine(catalogue, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "v1"
    config = TINY.with_settings(["svm.kernel=rbf", "network.epochs=1"])
    save_model(train(catalogue, config=config, seed=0).model, folder)
    return folder


@pytest.mark.parametrize(
    ("attribute", "change"),
    [
        ("_dual_coef_", lambda array: array[:1]),
        ("_dual_coef_", lambda array: array[:, :1]),
        ("support_vectors_", lambda array: array[:, :1]),
        ("support_vectors_", lambda array: array[:1]),
        ("_n_support", lambda array: array * 1000),
        ("_n_support", lambda array: array[:1]),
        ("_intercept_", lambda array: array[:0]),
        ("support_", lambda array: array[:1]),
        ("classes_", lambda array: array + 99),
    ],
)
def test_inconsistent_support_vectors_never_reach_libsvm(kernel_machine, tmp_path, attribute, change):
    folder = Path(shutil.copytree(kernel_machine, tmp_path / "v1"))
    result = machines(folder)
    machine = result["text"]
    setattr(machine, attribute, np.ascontiguousarray(change(getattr(machine, attribute))))
    (folder / "serving.skops").write_bytes(dumps(result))
    sign(folder, "serving.skops")
    assert refusal(folder).extra == {"file": "serving.skops"}
