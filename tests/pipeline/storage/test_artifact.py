"""Storing and loading of models."""

import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from classifier.pipeline.errors import ArtifactError
from classifier.pipeline.model import TrainedModel
from classifier.pipeline.records import Catalogue
from classifier.pipeline.storage.artifact import load_model, save_model
from classifier.pipeline.storage.sealed_directory import UNCONFIRMED
from classifier.pipeline.suggestion import Suggestion
from classifier.pipeline.training.train import train
from tests.pipeline.catalogues import TINY, relabelled
from tests.pipeline.stored_models import FILES, MANIFEST


@pytest.fixture(scope="module")
def stored(trained, tmp_path_factory) -> Path:
    """A stored model that no test changes."""
    folder = tmp_path_factory.mktemp("models") / "v1"
    save_model(trained.model, folder)
    return folder


@pytest.fixture
def copied(stored, tmp_path) -> Path:
    """A copy of a test's own."""
    return Path(shutil.copytree(stored, tmp_path / "v1"))


def assert_same(one: TrainedModel, other: TrainedModel, catalogue: Catalogue) -> None:
    assert (one.config, one.seed, one.classes) == (other.config, other.seed, other.classes)
    assert one.held_out == other.held_out
    assert np.array_equal(one.confidence, other.confidence)
    assert np.array_equal(one.correct, other.correct)
    blocks = one.extractor.transform(catalogue)
    assert np.array_equal(one.predict_proba(catalogue), other.predict_proba(catalogue))
    assert np.array_equal(
        one.evaluation_classifier.predict_proba(blocks), other.evaluation_classifier.predict_proba(blocks)
    )
    assert (one.evaluation_classifier.modalities_used_, one.serving_classifier.modalities_used_) == (
        other.evaluation_classifier.modalities_used_,
        other.serving_classifier.modalities_used_,
    )
    votes = [
        model.evaluation_classifier.votes(model.evaluation_classifier.encode(blocks))
        for model in (one, other)
    ]
    assert np.array_equal(*votes)


def test_model_survives_storage(trained, stored, catalogue, tmp_path):
    loaded = load_model(stored)
    assert_same(loaded, trained.model, catalogue)
    save_model(loaded, tmp_path / "v2")
    assert_same(load_model(tmp_path / "v2"), trained.model, catalogue)


@pytest.mark.parametrize(
    "changes",
    [
        ["network.hidden=8"],
        ["training.refit_below=0"],
        ["network.activation=tanh"],
        ["network.fusion=concat"],
        ["network.fusion=gated"],
        ["network.fusion=attention"],
        ["training.folds=2"],
    ],
)
def test_all_model_kinds_survive_storage(catalogue, tmp_path, changes):
    model = train(catalogue, config=TINY.with_settings(["network.epochs=2", *changes]), seed=1).model
    save_model(model, tmp_path / "v1")
    loaded = load_model(tmp_path / "v1")
    assert_same(loaded, model, catalogue)
    assert (loaded.serving_classifier is loaded.evaluation_classifier) == (
        model.serving_classifier is model.evaluation_classifier
    )


def test_category_names_in_any_script_survive(catalogue, tmp_path):
    names = {"cooking": "烹饪 “x”", "physics": "Économie\n", "history": "烹饪 “x”", None: None}
    two = relabelled(catalogue, [names[book.category] for book in catalogue.books])
    model = train(two, config=TINY.with_settings(["network.epochs=2"]), seed=1).model
    save_model(model, tmp_path / "v1")
    assert load_model(tmp_path / "v1").classes == ["Économie\n", "烹饪 “x”"]
    assert_same(load_model(tmp_path / "v1"), model, catalogue)


def test_loaded_model_suggests_in_book_order(stored, catalogue):
    model = load_model(stored)
    result = model.suggest(catalogue, ranks=2)
    assert [(s.book, s.rank) for s in result] == [
        (book.id, rank) for book in catalogue.books for rank in (1, 2)
    ]
    best = model.predict_proba(catalogue)[5].argmax()
    assert result[10] == Suggestion(
        book="b5", rank=1, category=model.classes[best], probability=model.predict_proba(catalogue)[5, best]
    )
    assert model.suggest(Catalogue(books=[], loans=catalogue.loans)) == []


def test_model_is_hashed_data(stored):
    assert sorted(file.name for file in stored.iterdir()) == sorted([*FILES, MANIFEST, UNCONFIRMED])
    hashes = {name: hashlib.sha256((stored / name).read_bytes()).hexdigest() for name in FILES}
    assert json.loads((stored / MANIFEST).read_bytes())["files"] == hashes


def test_other_files_are_ignored(copied, trained, catalogue):
    # File managers and backups leave some.
    (copied / ".DS_Store").write_bytes(b"\x00\x01")
    (copied / "notes.safetensors").write_text("no model")
    (copied / "old").mkdir()
    assert_same(load_model(copied), trained.model, catalogue)


ELSEWHERE = """
import sys
from pathlib import Path
import numpy as np
from classifier.pipeline.storage.artifact import load_model
from tests.pipeline.catalogues import make_catalogue
model = load_model(Path(sys.argv[1]))
np.save(sys.argv[3], model.predict_proba(make_catalogue(Path(sys.argv[2]))))
"""


@pytest.mark.thorough
@pytest.mark.parametrize(
    "place",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TZ": "Pacific/Kiritimati"},
        {"LC_ALL": "tr_TR.UTF-8", "TZ": "America/St_Johns", "PYTHONHASHSEED": "7"},
    ],
    ids=["ASCII", "Turkish"],
)
def test_predictions_ignore_locale_and_time_zone(stored, trained, catalogue, tmp_path, place):
    root = Path(__file__).parents[3]
    answers = tmp_path / "answers.npy"
    subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(stored), str(tmp_path), str(answers)],
        env=os.environ | place | {"PYTHONPATH": str(root), "CUDA_VISIBLE_DEVICES": ""},
        cwd=tmp_path,
        check=True,
    )
    assert np.array_equal(np.load(answers), trained.model.predict_proba(catalogue))


def tensors(model: TrainedModel) -> list[torch.Tensor]:
    networks = [*model.serving_classifier.networks_, *model.evaluation_classifier.networks_]
    return [tensor for network in networks for tensor in network.module_.state_dict().values()]


def test_model_is_on_the_cpu(trained, stored):
    for model in (trained.model, load_model(stored)):
        assert {tensor.device.type for tensor in tensors(model)} == {"cpu"}


def test_loading_draws_no_random_numbers(stored):
    before = torch.get_rng_state()
    load_model(stored)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_gpu_model_predicts_the_same_on_the_cpu(catalogue, tmp_path):
    model = train(catalogue, config=TINY, seed=3).model
    assert {tensor.device.type for tensor in tensors(model)} == {"cpu"}
    save_model(model, tmp_path / "v1")
    loaded = load_model(tmp_path / "v1")
    assert_same(loaded, model, catalogue)
    on_cpu = loaded.predict_proba(catalogue)
    for network in loaded.serving_classifier.networks_:
        network.to("cuda")
    np.testing.assert_allclose(loaded.predict_proba(catalogue), on_cpu, atol=1e-4)


def test_stored_model_is_never_overwritten(trained, copied):
    before = {file.name: file.read_bytes() for file in copied.iterdir()}
    with pytest.raises(ArtifactError, match="There is a model in v1 already; a stored model never changes"):
        save_model(trained.model, copied)
    assert {file.name: file.read_bytes() for file in copied.iterdir()} == before
    assert list(copied.parent.iterdir()) == [copied]


def test_empty_folder_blocks_writing(trained, tmp_path):
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
def test_failed_write_leaves_nothing(trained, tmp_path, n_bytes):
    with files_no_larger_than(n_bytes), pytest.raises(OSError, match="File too large"):
        save_model(trained.model, tmp_path / "models" / "v1")
    assert list((tmp_path / "models").iterdir()) == []
    save_model(trained.model, tmp_path / "models" / "v1")
    assert [folder.name for folder in (tmp_path / "models").iterdir()] == ["v1"]
