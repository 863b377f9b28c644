"""The index of training books: neighbours, and rejection of inconsistent files."""

import numpy as np
import pytest

from classifier.pipeline.explanation.training_index import TrainingIndex


def test_small_index_returns_fewer_books():
    gallery = TrainingIndex(
        ids=["a", "b"],
        categories=np.array([0, -1]),
        rows={"cover": np.array([0])},
        codes={"cover": np.array([[1, 0]], np.float16)},
        centres={"cover": np.zeros(2, np.float32)},
    )
    rows, cosine = gallery.nearest("cover", np.array([[2, 0], [0, 3]], np.float32), ["b", "a"], 3)
    assert rows.tolist() == [[0], [0]]
    assert cosine.tolist() == [[1], [-np.inf]]  # none is its own neighbour


def gallery_parts():
    values = {"ids": ["a", "b"], "shown": ["cover"]}
    tensors = {
        "categories": np.array([1, -1], np.int32),
        "cover/rows": np.array([0], np.int32),
        "cover/codes": np.ones((1, 4), np.float16),
        "cover/centre": np.zeros(4, np.float32),
    }
    return values, tensors


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("categories", np.zeros(3, np.int32)),
        ("cover/rows", np.array([2], np.int32)),
        ("cover/rows", np.array([-1], np.int32)),
        ("cover/rows", np.array([0, 1], np.int32)),
        ("cover/codes", np.ones((1, 5), np.float16)),
        ("cover/centre", np.zeros((4, 1), np.float32)),
    ],
)
def test_inconsistent_index_is_rejected(name, array):
    values, tensors = gallery_parts()
    assert TrainingIndex.from_state(values, tensors).state()[0] == values
    with pytest.raises(ValueError, match=r"its (categories|codes)"):
        TrainingIndex.from_state(values, tensors | {name: array})


@pytest.mark.parametrize(
    ("change", "n_classes", "width"),
    [({}, 1, 4), ({}, 2, 5), ({"cover/rows": np.array([1], np.int32)}, 2, 4)],
)
def test_index_of_another_model_is_rejected(change, n_classes, width):
    values, tensors = gallery_parts()
    TrainingIndex.from_state(values, tensors).check(n_classes=2, width=4)
    with pytest.raises(ValueError, match=r"its (categories|codes)"):
        TrainingIndex.from_state(values, tensors | change).check(n_classes=n_classes, width=width)
