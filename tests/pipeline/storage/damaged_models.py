"""Copies of a stored model with damaged files."""

from pathlib import Path

import pytest

from classifier.pipeline.errors import ArtifactError
from classifier.pipeline.features.modalities import REGISTRY
from classifier.pipeline.storage.artifact import load_model
from tests.pipeline.stored_models import (
    FILES,
    MANIFEST,
)


def refusal(folder: Path) -> ArtifactError:
    with pytest.raises(ArtifactError) as error:
        load_model(folder)
    assert error.value.extra["file"] in error.value.message or error.value.extra["file"] == MANIFEST
    return error.value


def names_file(error: ArtifactError, name: str) -> bool:
    """Whether an error names the file at fault, or the one that it is read with."""
    stem = name.partition(".")[0]
    others = {f"{stem}.json", f"{stem}.safetensors"}
    if stem in REGISTRY:  # says what networks should be like
        others |= {"serving.safetensors", "judged.safetensors"}
    if name == "model.json":  # says what all others should be like
        others |= set(FILES)
    return error.extra["file"] in {name} | others and error.extra["file"] in error.message
