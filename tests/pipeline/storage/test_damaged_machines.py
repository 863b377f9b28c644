"""Stored models whose support vector machines do not match the rest."""

import json

import numpy as np
import pytest
from safetensors.numpy import load, save

from tests.pipeline.storage.damaged_models import names_file, refusal
from tests.pipeline.stored_models import changed


@pytest.mark.parametrize(
    "uses", [{}, {"text": "cover"}, {"cover": "text+cover"}, {"text": "nothing"}, {"text": 1}, None]
)
def test_uses_must_name_existing_svms(damaged, uses):
    about = json.loads((damaged / "model.json").read_bytes())
    part = about["parts"]["serving"]
    part["uses"] = uses and part["uses"] | uses
    with changed(damaged, "model.json", json.dumps(about).encode(), signed=True):
        assert names_file(refusal(damaged), "model.json")


MACHINE = "svm/text+cover+loans+audio/"


@pytest.mark.parametrize("part", ["serving", "judged"])
@pytest.mark.parametrize(
    ("array", "change"),
    [
        (f"{MACHINE}coef", lambda array: array[:, 1:]),
        (f"{MACHINE}coef", lambda array: array[0]),
        (f"{MACHINE}classes", lambda array: array + 99),
        (f"{MACHINE}classes", lambda array: array - 1),
        (f"{MACHINE}classes", lambda array: array.astype(np.float32)),
        (f"{MACHINE}classes", lambda array: array[:1]),
        ("discriminant/cover/classes", lambda array: array + 99),
    ],
)
def test_machine_of_another_shape_is_rejected(damaged, part, array, change):
    name = f"{part}.safetensors"
    arrays = load((damaged / name).read_bytes())
    arrays[array] = np.ascontiguousarray(change(arrays[array]))
    with changed(damaged, name, save(arrays), signed=True):
        assert refusal(damaged).extra == {"file": name}


@pytest.mark.parametrize("names", ["text+smell", "", "cover+text", None])
def test_machines_must_be_those_of_the_model(damaged, names):
    name = "serving.safetensors"
    arrays = load((damaged / name).read_bytes())
    machine = {key.removeprefix(MACHINE): arrays.pop(key) for key in list(arrays) if key.startswith(MACHINE)}
    if names is not None:
        arrays |= {f"svm/{names}/{key}": array for key, array in machine.items()}
    with changed(damaged, name, save(arrays), signed=True):
        assert refusal(damaged).extra == {"file": name}
