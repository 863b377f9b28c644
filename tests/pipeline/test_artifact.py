"""Stored models: the same afterwards, and nothing but what was stored."""

import hashlib
import json
import resource
import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skops.io import dumps

from classifier.pipeline.artifact import TrainedModel, load_model, save_model
from classifier.pipeline.errors import ArtifactError
from classifier.pipeline.records import Catalogue
from classifier.pipeline.suggestion import Suggestion
from classifier.pipeline.training import train
from tests.pipeline.catalogues import TINY, relabelled

MANIFEST = "manifest.json"
FILES = [
    "cover.json", "cover.safetensors", "judged.safetensors", "judged.skops", "loans.json",
    "loans.safetensors", "model.json", "serving.safetensors", "serving.skops", "text.json",
    "text.safetensors",
]  # fmt: skip


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


@contextmanager
def changed(path: Path, content: bytes):
    before = path.read_bytes()
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(before)


def assert_same(one: TrainedModel, other: TrainedModel, catalogue: Catalogue) -> None:
    assert (one.config, one.seed, one.classes) == (other.config, other.seed, other.classes)
    assert (one.held_out, one.majority) == (other.held_out, other.majority)
    blocks = one.extractor.transform(catalogue)
    assert np.array_equal(one.predict_proba(catalogue), other.predict_proba(catalogue))
    assert np.array_equal(one.judged.predict_proba(blocks), other.judged.predict_proba(blocks))
    assert np.array_equal(one.judged.log_probabilities(blocks), other.judged.log_probabilities(blocks))


def refusal(folder: Path) -> ArtifactError:
    with pytest.raises(ArtifactError) as error:
        load_model(folder)
    return error.value


def rewrite_manifest(folder: Path, **changes: object) -> None:
    manifest = json.loads((folder / MANIFEST).read_bytes()) | changes
    (folder / MANIFEST).write_text(json.dumps(manifest))


def hashes(folder: Path) -> dict[str, str]:
    return json.loads((folder / MANIFEST).read_bytes())["files"]


def test_a_model_is_the_same_when_loaded_and_when_stored_again(trained, stored, catalogue, tmp_path):
    loaded = load_model(stored)
    assert_same(loaded, trained.model, catalogue)
    save_model(loaded, tmp_path / "v2")
    assert_same(load_model(tmp_path / "v2"), trained.model, catalogue)


@pytest.mark.parametrize(
    "changes",
    [["svm.kernel=rbf"], ["network.hidden=8"], ["training.refit_below=0"], ["network.activation=tanh"]],
)
def test_models_of_every_make_survive(catalogue, tmp_path, changes):
    model = train(catalogue, config=TINY.with_settings(["network.epochs=2", *changes]), seed=1).model
    save_model(model, tmp_path / "v1")
    loaded = load_model(tmp_path / "v1")
    assert_same(loaded, model, catalogue)
    assert (loaded.serving is loaded.judged) == (model.serving is model.judged)


def test_two_categories_with_names_in_any_script_survive(catalogue, tmp_path):
    names = {"cooking": "烹饪 “x”", "physics": "Économie\n", "history": "烹饪 “x”", None: None}
    two = relabelled(catalogue, [names[book.category] for book in catalogue.books])
    model = train(two, config=TINY.with_settings(["network.epochs=2"]), seed=1).model
    save_model(model, tmp_path / "v1")
    assert load_model(tmp_path / "v1").classes == ["Économie\n", "烹饪 “x”"]
    assert_same(load_model(tmp_path / "v1"), model, catalogue)


def test_a_loaded_model_suggests_categories_in_the_order_of_the_books(stored, catalogue):
    model = load_model(stored)
    found = model.suggest(catalogue, ranks=2)
    assert [(s.book, s.rank) for s in found] == [
        (book.id, rank) for book in catalogue.books for rank in (1, 2)
    ]
    best = model.predict_proba(catalogue)[5].argmax()
    assert found[10] == Suggestion(
        book="b5", rank=1, category=model.classes[best], probability=model.predict_proba(catalogue)[5, best]
    )
    assert model.suggest(Catalogue(books=[], loans=catalogue.loans)) == []


def test_a_model_is_data_only(stored):
    assert sorted(file.name for file in stored.iterdir()) == sorted([*FILES, MANIFEST])
    assert {name: hashlib.sha256((stored / name).read_bytes()).hexdigest() for name in FILES} == hashes(
        stored
    )


@given(name=st.sampled_from(FILES), where=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_changed_byte_in_any_file_is_refused_by_name(spoilt, name, where, flip):
    content = bytearray((spoilt / name).read_bytes())
    content[int(where * len(content))] ^= flip
    with changed(spoilt / name, bytes(content)):
        error = refusal(spoilt)
    assert error.message == f"v1/{name} has been altered since it was written."
    assert error.extra == {"file": name}


@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_changed_bit_in_the_manifest_is_refused(spoilt, where, bit):
    content = bytearray((spoilt / MANIFEST).read_bytes())
    content[int(where * len(content))] ^= 1 << bit
    with changed(spoilt / MANIFEST, bytes(content)):
        assert refusal(spoilt).extra["file"]


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_and_a_missing_file_are_refused_by_name(copied, name):
    content = (copied / name).read_bytes()
    (copied / name).write_bytes(content[:-1])
    assert refusal(copied).message == f"v1/{name} has been altered since it was written."
    (copied / name).unlink()
    error = refusal(copied)
    assert error.message == f"v1/{name} is missing or unreadable."
    assert error.extra == {"file": name}


@pytest.mark.parametrize(
    "content", [None, b"", b"{", b"[]", b"{}", b'{"format": 1}', b'{"format": 1, "files": 3}']
)
def test_a_model_without_a_whole_manifest_is_refused(copied, content):
    (copied / MANIFEST).unlink()
    if content is not None:
        (copied / MANIFEST).write_bytes(content)
    error = refusal(copied)
    assert error.message == "v1/manifest.json is missing or damaged."
    assert error.extra == {"file": MANIFEST}


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    assert refusal(tmp_path / "v9").message == "v9/manifest.json is missing or damaged."


@pytest.mark.parametrize("form", [0, 2, "1", None])
def test_another_format_is_refused(copied, form):
    rewrite_manifest(copied, format=form)
    assert refusal(copied).message == f"v1 has format {form}; this release reads 1."


@pytest.mark.parametrize("name", ["../v1/model.json", "/etc/hostname", "sub/model.json"])
def test_a_manifest_cannot_lead_outside_the_model(copied, name):
    rewrite_manifest(copied, files=hashes(copied) | {name: "0" * 64})
    assert refusal(copied).message == f"manifest.json names a file outside the model: {name}."


@pytest.mark.parametrize("name", FILES)
def test_a_manifest_that_does_not_list_a_file_is_refused(copied, name):
    rewrite_manifest(copied, files={n: digest for n, digest in hashes(copied).items() if n != name})
    assert refusal(copied).message == f"v1/manifest.json does not list {name}."


class Foreign:
    """Something a model has no use for."""


@pytest.mark.parametrize("part", ["serving", "judged"])
def test_a_machine_of_a_foreign_type_is_refused_even_with_the_right_hash(copied, part):
    name = f"{part}.skops"
    content = dumps(Foreign())
    (copied / name).write_bytes(content)
    rewrite_manifest(copied, files=hashes(copied) | {name: hashlib.sha256(content).hexdigest()})
    error = refusal(copied)
    assert error.message.startswith(f"{name} holds types that a model has no use for: ")
    assert "Foreign" in error.message
    assert error.extra == {"file": name}


def test_a_stored_model_is_never_written_over(trained, copied):
    before = {file.name: file.read_bytes() for file in copied.iterdir()}
    with pytest.raises(ArtifactError, match="There is a model in v1 already; a stored model never changes"):
        save_model(trained.model, copied)
    assert {file.name: file.read_bytes() for file in copied.iterdir()} == before
    assert list(copied.parent.iterdir()) == [copied]


def test_an_empty_folder_is_in_the_way_too(trained, tmp_path):
    (tmp_path / "v1").mkdir()
    with pytest.raises(ArtifactError):
        save_model(trained.model, tmp_path / "v1")
    assert list((tmp_path / "v1").iterdir()) == []


@contextmanager
def files_no_larger_than(n_bytes: int):
    """Let the system refuse larger files, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("n_bytes", [10, 20_000])
def test_a_failure_while_writing_leaves_nothing_behind(trained, tmp_path, n_bytes):
    with files_no_larger_than(n_bytes), pytest.raises(OSError, match="File too large"):
        save_model(trained.model, tmp_path / "models" / "v1")
    assert list((tmp_path / "models").iterdir()) == []
    save_model(trained.model, tmp_path / "models" / "v1")
    assert [folder.name for folder in (tmp_path / "models").iterdir()] == ["v1"]
