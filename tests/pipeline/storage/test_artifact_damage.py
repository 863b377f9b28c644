"""Damaged stored models: rejected by file name, never executed."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from classifier.pipeline.errors import ArtifactError
from classifier.pipeline.model import TrainedModel
from classifier.pipeline.records import Catalogue
from classifier.pipeline.storage.artifact import load_model
from classifier.pipeline.storage.sealed_directory import FORMAT
from tests.pipeline.catalogues import selected
from tests.pipeline.storage.damaged_models import names_file, refusal
from tests.pipeline.stored_models import (
    FILES,
    MANIFEST,
    changed,
    hashes,
    paths,
    put,
    rewrite_manifest,
)

#: Of every file: where it is cut, filled or turned round.
where = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize("name", FILES)
@given(where=where, flip=st.integers(1, 255))
def test_changed_byte_is_rejected_by_file(damaged, name, where, flip):
    content = bytearray((damaged / name).read_bytes())
    content[int(where * len(content))] ^= flip
    with changed(damaged, name, bytes(content)):
        error = refusal(damaged)
    assert error.message == f"v1/{name} has been altered since it was written."
    assert error.extra == {"file": name}


@given(where=where, bit=st.integers(0, 7))
def test_changed_manifest_bit_is_rejected(damaged, where, bit):
    content = bytearray((damaged / MANIFEST).read_bytes())
    content[int(where * len(content))] ^= 1 << bit
    with changed(damaged, MANIFEST, bytes(content)):
        assert refusal(damaged).extra["file"]


@pytest.mark.parametrize("name", FILES)
def test_resized_or_missing_file_is_rejected(copied, name):
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
    [None, b"", b"{", b"[]", b"{}", b"3", b'{"format": 5}', b'{"format": 5, "files": 3}', b"[" * 100_000],
)
def test_incomplete_manifest_is_rejected(copied, content):
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
def test_arbitrary_manifest_is_rejected(damaged, manifest):
    with changed(damaged, MANIFEST, json.dumps(manifest).encode()):
        refusal(damaged)


def test_missing_folder_is_rejected(tmp_path):
    assert refusal(tmp_path / "v9").message == "v9/manifest.json is missing or damaged."


@pytest.mark.parametrize("form", [0, FORMAT - 1, FORMAT + 1, str(FORMAT), None])
def test_other_format_is_rejected(copied, form):
    rewrite_manifest(copied, format=form)
    assert refusal(copied).message == f"v1 has format {form}; this release reads {FORMAT}."


@pytest.mark.parametrize("name", ["../v1/model.json", "/etc/hostname", "sub/model.json", "."])
def test_manifest_cannot_leave_the_folder(copied, name):
    rewrite_manifest(copied, files=hashes(copied) | {name: "0" * 64})
    assert refusal(copied).message == f"manifest.json names a file outside the model: {name}."


@pytest.mark.parametrize("name", FILES)
def test_unlisted_file_is_rejected(copied, name):
    rewrite_manifest(copied, files={n: digest for n, digest in hashes(copied).items() if n != name})
    error = refusal(copied)
    assert error.message == f"manifest.json does not list {name}."
    assert error.extra == {"file": MANIFEST}


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=20)
@given(content=st.binary(max_size=200))
@example(content=b"")
@example(content=b"[" * 100_000)
@example(content=b"null")
@example(content=b"[]")
@example(content=b"\xff\xfe")
def test_garbage_is_rejected_by_file(damaged, name, content):
    with changed(damaged, name, content, signed=True):
        error = refusal(damaged)
    assert error.extra == {"file": name}
    assert error.message.startswith(f"v1/{name} cannot be used: ")


@pytest.mark.thorough
@pytest.mark.parametrize("name", [name for name in FILES if not name.endswith(".json")])
@settings(max_examples=30)  # each reads a whole model
@given(where=where, flip=st.integers(1, 255))
def test_rehashed_byte_is_a_number_or_rejected(damaged, name, where, flip):
    content = bytearray((damaged / name).read_bytes())
    content[int(where * len(content))] ^= flip
    with changed(damaged, name, bytes(content), signed=True):
        loaded(damaged, name)


def loaded(folder: Path, name: str) -> TrainedModel | None:
    """Return the model, or nothing if it is refused by the name of the file."""
    model = fault = None
    try:
        model = load_model(folder)
    except ArtifactError as error:
        fault = error
    assert fault is None or names_file(fault, name), fault
    return model


def refused_or_harmless(folder: Path, name: str, catalogue: Catalogue) -> None:
    """Load a model; either it is refused by name, or it answers as a model does."""
    model = loaded(folder, name)
    if model is None:
        return
    subset = selected(catalogue, [1, 2, 3, 4])
    probabilities = model.predict_proba(subset)
    assert probabilities.shape == (4, len(model.classes))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert len(model.explain(subset, ranks=1)) == 4


@pytest.mark.thorough
@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".json")])
@settings(max_examples=60)
@given(data=st.data(), other=anything | st.sampled_from([-1, 0, 2, 10**6, 10**12, 1e308, "\ud800", "text"]))
def test_any_json_value_is_rejected_or_harmless(damaged, catalogue, name, data, other):
    values = json.loads((damaged / name).read_bytes())
    path = data.draw(st.sampled_from(list(paths(values))))
    with changed(damaged, name, json.dumps(put(values, path, other)).encode(), signed=True):
        refused_or_harmless(damaged, name, catalogue)


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".json")])
def test_missing_json_value_is_rejected(damaged, name):
    values = json.loads((damaged / name).read_bytes())
    for key in values:
        left = {other: value for other, value in values.items() if other != key}
        with changed(damaged, name, json.dumps(left).encode(), signed=True):
            assert names_file(refusal(damaged), name)


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


#: The arrays of the evaluation classifier are read like those of the serving classifier.
ARRAYS = [name for name in FILES if name.endswith(".safetensors") and not name.startswith("judged")]


def representative_arrays(folder: Path, name: str) -> dict[str, np.ndarray]:
    """Return the arrays of a file without those that are read like others."""
    arrays = load((folder / name).read_bytes())
    machine = "svm/text/"
    return {
        key: array
        for key, array in arrays.items()
        if not key.startswith(("1/", "2/", "svm/")) or key.startswith(machine)
    }


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", ARRAYS)
def test_wrong_array_shape_or_value_is_rejected(damaged, name, change):
    arrays = load((damaged / name).read_bytes())
    for key, array in representative_arrays(damaged, name).items():
        if not array.ndim or ("n" in change[:2] and array.dtype.kind != "f"):
            continue
        other = arrays | {key: np.ascontiguousarray(CHANGES[change](array))}
        if other[key].shape == array.shape and change not in ("no numbers", "infinite"):
            continue
        with changed(damaged, name, save(other), signed=True):
            assert names_file(refusal(damaged), name), key


@pytest.mark.parametrize("name", ARRAYS)
def test_missing_array_is_rejected(damaged, name):
    arrays = load((damaged / name).read_bytes())
    for key in representative_arrays(damaged, name):
        left = {other: array for other, array in arrays.items() if other != key}
        with changed(damaged, name, save(left), signed=True):
            assert names_file(refusal(damaged), name), key


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".safetensors")])
def test_huge_array_is_rejected(damaged, name):
    header = json.dumps(
        {"prior": {"dtype": "F64", "shape": [10**12], "data_offsets": [0, 8 * 10**12]}}
    ).encode()
    content = len(header).to_bytes(8, "little") + header + b"\0" * 64
    with changed(damaged, name, content, signed=True):
        assert refusal(damaged).extra == {"file": name}


@pytest.mark.parametrize(
    ("setting", "value"), [("width", 10**9), ("hidden", [10**9, 10**9]), ("width", 0), ("width", "16")]
)
def test_huge_network_takes_no_memory(damaged, setting, value):
    about = json.loads((damaged / "model.json").read_bytes())
    about["config"]["network"][setting] = value
    with changed(damaged, "model.json", json.dumps(about).encode(), signed=True):
        assert names_file(refusal(damaged), "model.json")
