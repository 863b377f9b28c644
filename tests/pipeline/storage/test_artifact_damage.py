"""A stored model that is damaged, by chance or on purpose: refused by the name of the file, and never run."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC, LinearSVC
from skops.io import dumps, get_untrusted_types, loads

from classifier.pipeline.errors import ArtifactError
from classifier.pipeline.features.modalities import REGISTRY
from classifier.pipeline.model import TrainedModel
from classifier.pipeline.records import Catalogue
from classifier.pipeline.storage.artifact import load_model, save_model
from classifier.pipeline.storage.sealed_directory import FORMAT
from classifier.pipeline.training.train import train
from tests.pipeline.catalogues import TINY, selected
from tests.pipeline.stored_models import (
    FILES,
    MANIFEST,
    changed,
    hashes,
    paths,
    put,
    rewrite_manifest,
    sign,
)


@pytest.fixture(scope="module")
def stored(trained, tmp_path_factory) -> Path:
    """A stored model that no test changes."""
    folder = tmp_path_factory.mktemp("models") / "v1"
    save_model(trained.model, folder)
    return folder


@pytest.fixture(scope="module")
def spoilt(stored, tmp_path_factory) -> Path:
    """A copy for tests that spoil one file and put it right again."""
    return Path(shutil.copytree(stored, tmp_path_factory.mktemp("spoilt") / "v1"))


@pytest.fixture
def copied(stored, tmp_path) -> Path:
    """A copy of a test's own."""
    return Path(shutil.copytree(stored, tmp_path / "v1"))


def refusal(folder: Path) -> ArtifactError:
    with pytest.raises(ArtifactError) as error:
        load_model(folder)
    assert error.value.extra["file"] in error.value.message or error.value.extra["file"] == MANIFEST
    return error.value


#: Of every file: where it is cut, filled or turned round.
where = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize("name", FILES)
@given(where=where, flip=st.integers(1, 255))
def test_a_changed_byte_in_any_file_is_refused_by_name(spoilt, name, where, flip):
    content = bytearray((spoilt / name).read_bytes())
    content[int(where * len(content))] ^= flip
    with changed(spoilt, name, bytes(content)):
        error = refusal(spoilt)
    assert error.message == f"v1/{name} has been altered since it was written."
    assert error.extra == {"file": name}


@given(where=where, bit=st.integers(0, 7))
def test_a_changed_bit_in_the_manifest_is_refused(spoilt, where, bit):
    content = bytearray((spoilt / MANIFEST).read_bytes())
    content[int(where * len(content))] ^= 1 << bit
    with changed(spoilt, MANIFEST, bytes(content)):
        assert refusal(spoilt).extra["file"]


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_a_longer_and_a_missing_file_are_refused_by_name(copied, name):
    content = (copied / name).read_bytes()
    for other in (content[:-1], content[: len(content) // 2], b"", content + b"\n"):
        (copied / name).write_bytes(other)
        assert refusal(copied).message == f"v1/{name} has been altered since it was written."
    (copied / name).unlink()
    for _ in range(2):
        error = refusal(copied)
        assert error.message == f"v1/{name} is missing or unreadable."
        assert error.extra == {"file": name}
        (copied / name).mkdir(exist_ok=True)


@pytest.mark.parametrize(
    "content",
    [None, b"", b"{", b"[]", b"{}", b"3", b'{"format": 4}', b'{"format": 4, "files": 3}', b"[" * 100_000],
)
def test_a_model_without_a_whole_manifest_is_refused(copied, content):
    (copied / MANIFEST).unlink()
    if content is not None:
        (copied / MANIFEST).write_bytes(content)
    error = refusal(copied)
    assert error.message == "v1/manifest.json is missing or damaged."
    assert error.extra == {"file": MANIFEST}


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
listed = st.dictionaries(st.sampled_from([*FILES, "", ".", "..", "\0", "\ud800"]) | st.text(), anything)


@given(manifest=anything | st.fixed_dictionaries({"format": st.just(FORMAT) | anything, "files": listed}))
@example(manifest={"format": FORMAT, "files": {}})
@example(manifest={"format": FORMAT, "files": [["model.json", "0"]]})
def test_any_other_manifest_is_refused(spoilt, manifest):
    with changed(spoilt, MANIFEST, json.dumps(manifest).encode()):
        refusal(spoilt)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    assert refusal(tmp_path / "v9").message == "v9/manifest.json is missing or damaged."


@pytest.mark.parametrize("form", [0, 3, 5, "4", None])
def test_another_format_is_refused(copied, form):
    rewrite_manifest(copied, format=form)
    assert refusal(copied).message == f"v1 has format {form}; this release reads 4."


@pytest.mark.parametrize("name", ["../v1/model.json", "/etc/hostname", "sub/model.json", "."])
def test_a_manifest_cannot_lead_outside_the_model(copied, name):
    rewrite_manifest(copied, files=hashes(copied) | {name: "0" * 64})
    assert refusal(copied).message == f"manifest.json names a file outside the model: {name}."


@pytest.mark.parametrize("name", FILES)
def test_a_manifest_that_does_not_list_a_file_is_refused(copied, name):
    rewrite_manifest(copied, files={n: digest for n, digest in hashes(copied).items() if n != name})
    error = refusal(copied)
    assert error.message == f"manifest.json does not list {name}."
    assert error.extra == {"file": MANIFEST}


# What follows has the right hash: a file written by something else than `save_model`.


def names_it(error: ArtifactError, name: str) -> bool:
    """Whether an error names the file at fault, or the one that it is read with."""
    stem = name.partition(".")[0]
    others = {f"{stem}.json", f"{stem}.safetensors", f"{stem}.skops"}
    if stem in REGISTRY:  # says what networks should be like
        others |= {"serving.safetensors", "judged.safetensors"}
    if name == "model.json":  # says what all others should be like
        others |= set(FILES)
    return error.extra["file"] in {name} | others and error.extra["file"] in error.message


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=20)
@given(content=st.binary(max_size=200))
@example(content=b"")
@example(content=b"[" * 100_000)
@example(content=b"null")
@example(content=b"[]")
@example(content=b"\xff\xfe")
def test_garbage_is_refused_by_name(spoilt, name, content):
    with changed(spoilt, name, content, signed=True):
        error = refusal(spoilt)
    assert error.extra == {"file": name}
    assert error.message.startswith(f"v1/{name} cannot be used: ")


@pytest.mark.thorough
@pytest.mark.parametrize("name", [name for name in FILES if not name.endswith(".json")])
@settings(max_examples=30)  # each reads a whole model
@given(where=where, flip=st.integers(1, 255))
def test_a_changed_byte_with_the_right_hash_is_another_number_or_refused(spoilt, name, where, flip):
    content = bytearray((spoilt / name).read_bytes())
    content[int(where * len(content))] ^= flip
    with changed(spoilt, name, bytes(content), signed=True):
        loaded(spoilt, name)


def loaded(folder: Path, name: str) -> TrainedModel | None:
    """Return the model, or nothing if it is refused by the name of the file."""
    model = fault = None
    try:
        model = load_model(folder)
    except ArtifactError as error:
        fault = error
    assert fault is None or names_it(fault, name), fault
    return model


def refused_or_harmless(folder: Path, name: str, catalogue: Catalogue) -> None:
    """Load a model; either it is refused by name, or it answers as a model does."""
    model = loaded(folder, name)
    if model is None:
        return
    some = selected(catalogue, [1, 2, 3, 4])
    probabilities = model.predict_proba(some)
    assert probabilities.shape == (4, len(model.classes))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert len(model.explain(some, ranks=1)) == 4


@pytest.mark.thorough
@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".json")])
@settings(max_examples=60)
@given(data=st.data(), other=anything | st.sampled_from([-1, 0, 2, 10**6, 10**12, 1e308, "\ud800", "text"]))
def test_any_other_value_anywhere_in_json_is_refused_or_harmless(spoilt, catalogue, name, data, other):
    values = json.loads((spoilt / name).read_bytes())
    path = data.draw(st.sampled_from(list(paths(values))))
    with changed(spoilt, name, json.dumps(put(values, path, other)).encode(), signed=True):
        refused_or_harmless(spoilt, name, catalogue)


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".json")])
def test_a_value_that_is_missing_in_json_is_refused(spoilt, name):
    values = json.loads((spoilt / name).read_bytes())
    for key in values:
        left = {other: value for other, value in values.items() if other != key}
        with changed(spoilt, name, json.dumps(left).encode(), signed=True):
            assert names_it(refusal(spoilt), name)


Change = Callable[[np.ndarray], np.ndarray]
CHANGES: dict[str, Change] = {
    "a row less": lambda array: array[1:],
    "a row more": lambda array: np.concatenate([array, array[:1]]),
    "another dimension": lambda array: array[None],
    "flat": lambda array: array.ravel()[:1],
    "empty": lambda array: np.zeros((0, *array.shape[1:]), array.dtype),
    "no numbers": lambda array: np.full_like(array, np.nan),
    "infinite": lambda array: np.full_like(array, -np.inf),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".safetensors")])
def test_an_array_of_another_shape_or_of_no_numbers_is_refused(spoilt, name, change):
    arrays = load((spoilt / name).read_bytes())
    for key, array in arrays.items():
        if key.startswith(("1/", "2/")):  # networks like the first
            continue
        if not array.ndim or ("n" in change[:2] and array.dtype.kind != "f"):
            continue
        other = arrays | {key: np.ascontiguousarray(CHANGES[change](array))}
        if other[key].shape == array.shape and change not in ("no numbers", "infinite"):
            continue
        with changed(spoilt, name, save(other), signed=True):
            assert names_it(refusal(spoilt), name), key


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".safetensors")])
def test_an_array_that_is_missing_is_refused(spoilt, name):
    arrays = load((spoilt / name).read_bytes())
    for key in arrays:
        if key.startswith(("1/", "2/")):
            continue
        left = {other: array for other, array in arrays.items() if other != key}
        with changed(spoilt, name, save(left), signed=True):
            assert names_it(refusal(spoilt), name), key


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".safetensors")])
def test_an_array_that_claims_to_be_huge_is_refused(spoilt, name):
    header = json.dumps(
        {"prior": {"dtype": "F64", "shape": [10**12], "data_offsets": [0, 8 * 10**12]}}
    ).encode()
    content = len(header).to_bytes(8, "little") + header + b"\0" * 64
    with changed(spoilt, name, content, signed=True):
        assert refusal(spoilt).extra == {"file": name}


@pytest.mark.parametrize(
    ("setting", "value"), [("width", 10**9), ("hidden", [10**9, 10**9]), ("width", 0), ("width", "16")]
)
def test_a_network_that_claims_to_be_huge_takes_no_memory(spoilt, setting, value):
    about = json.loads((spoilt / "model.json").read_bytes())
    about["config"]["network"][setting] = value
    with changed(spoilt, "model.json", json.dumps(about).encode(), signed=True):
        assert names_it(refusal(spoilt), "model.json")


@pytest.mark.parametrize(
    "uses", [{}, {"text": "cover"}, {"cover": "text+cover"}, {"text": "nothing"}, {"text": 1}, None]
)
def test_books_are_judged_by_what_they_have_and_a_machine_there_is(spoilt, uses):
    about = json.loads((spoilt / "model.json").read_bytes())
    part = about["parts"]["serving"]
    part["uses"] = uses and part["uses"] | uses
    with changed(spoilt, "model.json", json.dumps(about).encode(), signed=True):
        assert names_it(refusal(spoilt), "model.json")


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
def test_foreign_types_are_refused_and_not_even_loaded(copied, part, thing):
    name = f"{part}.skops"
    (copied / name).write_bytes(dumps(thing))
    sign(copied, name)
    error = refusal(copied)
    assert error.message.startswith(f"{name} holds types that a model has no use for: ")
    assert error.extra == {"file": name}
    assert not Trap.sprung


def test_the_trap_springs_where_it_is_loaded():
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
def test_what_is_no_machine_for_each_set_of_modalities_is_refused(copied, things):
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
def test_a_machine_of_another_kind_or_size_is_refused(copied, change):
    found = machines(copied)
    name = list(found)[-1]
    found[name] = change(found[name])
    (copied / "serving.skops").write_bytes(dumps(found))
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
def test_support_vectors_that_do_not_fit_together_never_reach_libsvm(
    kernel_machine, tmp_path, attribute, change
):
    folder = Path(shutil.copytree(kernel_machine, tmp_path / "v1"))
    found = machines(folder)
    machine = found["text"]
    setattr(machine, attribute, np.ascontiguousarray(change(getattr(machine, attribute))))
    (folder / "serving.skops").write_bytes(dumps(found))
    sign(folder, "serving.skops")
    assert refusal(folder).extra == {"file": "serving.skops"}
