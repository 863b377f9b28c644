"""Directory of a trained model: safetensors for arrays, JSON for the rest.

Nothing in it is code. Every part is tested on loading, so a bad file is rejected by name at once.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.numpy import save

from classifier.pipeline.config import Config
from classifier.pipeline.errors import ArtifactError
from classifier.pipeline.explanation.training_index import TrainingIndex
from classifier.pipeline.features.extractor import FeatureExtractor
from classifier.pipeline.features.modalities import REGISTRY
from classifier.pipeline.fusion.classifier import FusionClassifier
from classifier.pipeline.fusion.out_of_fold import OutOfFold
from classifier.pipeline.model import TrainedModel
from classifier.pipeline.records import BookRecord, Catalogue
from classifier.pipeline.storage.classifier_files import (
    classifier_file,
    classifier_numbers,
    load_classifier,
)
from classifier.pipeline.storage.sealed_directory import (
    MANIFEST,
    as_json,
    json_object,
    read_folder,
    reading,
    write_folder,
)
from classifier.pipeline.storage.tensors import finite_tensors

_PROBE = Catalogue(books=[BookRecord(id="")])


def save_model(model: TrainedModel, folder: Path) -> None:
    """Write a model into a new directory; errors as for `write_folder`."""
    write_folder(folder, _files(model))


def load_model(folder: Path) -> TrainedModel:
    """Read a model, on the CPU; raises `ArtifactError` naming a file that is missing, altered or invalid."""
    data = read_folder(folder)
    _check_listed(data, "model.json")
    with reading(folder, "model.json"):
        metadata = json_object(data["model.json"])
        config = Config.from_dict(metadata["config"])
        seed, classes, held_out = metadata["seed"], metadata["classes"], metadata["held_out"]
        modalities, parts = metadata["modalities"], metadata["parts"]
        _check_metadata(seed, classes, held_out, modalities, parts)
    for name in modalities:
        _check_listed(data, f"{name}.json", f"{name}.safetensors")
    for part in parts:
        _check_listed(data, f"{part}.safetensors")
    _check_listed(data, "held_out.safetensors", "gallery.json", "gallery.safetensors", "unseen.safetensors")
    states = {}
    for name in modalities:
        with reading(folder, f"{name}.json"):
            values = json_object(data[f"{name}.json"])
        with reading(folder, f"{name}.safetensors"):
            states[name] = values, finite_tensors(data[f"{name}.safetensors"])
        with reading(folder, f"{name}.json"):
            FeatureExtractor(config=config).load_state({name: states[name]}).transform(_PROBE)
    extractor = FeatureExtractor(config=config).load_state(states)
    probe = extractor.transform(_PROBE)
    classifiers = {
        part: load_classifier(
            folder,
            data,
            part=part,
            numbers=parts[part],
            config=config,
            seed=seed,
            probe=probe,
            n_classes=len(classes),
        )
        for part in parts
    }
    with reading(folder, "held_out.safetensors"):
        arrays = finite_tensors(data["held_out.safetensors"])
        confidence, correct = arrays["confidence"], arrays["correct"]
        if confidence.shape != (len(held_out),) or correct.shape != (len(held_out),) or correct.dtype != bool:
            raise ValueError("it does not match the held-out books.")
    training_index = _load_training_index(folder, data, classifiers["serving"])
    with reading(folder, "unseen.safetensors"):
        out_of_fold = OutOfFold.from_tensors(
            finite_tensors(data["unseen.safetensors"]),
            n_books=len(training_index.ids),
            n_classes=len(classes),
            n_networks=len(classifiers["serving"].networks_),
        )
    return TrainedModel(
        config=config,
        seed=seed,
        classes=classes,
        extractor=extractor,
        serving_classifier=classifiers["serving"],
        evaluation_classifier=classifiers.get("judged", classifiers["serving"]),
        training_index=training_index,
        out_of_fold=out_of_fold,
        held_out=held_out,
        confidence=confidence,
        correct=correct,
    )


def _files(model: TrainedModel) -> dict[str, bytes]:
    parts = {"serving": model.serving_classifier}
    if model.evaluation_classifier is not model.serving_classifier:
        parts["judged"] = model.evaluation_classifier
    files: dict[str, bytes] = {}
    for name, (values, tensors) in model.extractor.state().items():
        files[f"{name}.json"] = as_json(values)
        files[f"{name}.safetensors"] = save(tensors)
    for part, classifier in parts.items():
        files[f"{part}.safetensors"] = classifier_file(classifier)
    values, tensors = model.training_index.state()
    files["gallery.json"], files["gallery.safetensors"] = as_json(values), save(tensors)
    files["unseen.safetensors"] = save(model.out_of_fold.tensors())
    files["held_out.safetensors"] = save({"confidence": model.confidence, "correct": model.correct})
    files["model.json"] = as_json(
        {
            "config": model.config.to_dict(),
            "seed": model.seed,
            "classes": model.classes,
            "modalities": list(model.extractor.modalities_),
            "parts": {part: classifier_numbers(classifier) for part, classifier in parts.items()},
            "held_out": model.held_out,
        }
    )
    return files


def _load_training_index(
    folder: Path, data: Mapping[str, bytes], serving_classifier: FusionClassifier
) -> TrainingIndex:
    with reading(folder, "gallery.json"):
        values = json_object(data["gallery.json"])
        if not set(values["shown"]) <= set(serving_classifier.modalities_):
            raise ValueError("it refers to a modality the model does not have.")
    with reading(folder, "gallery.safetensors"):
        training_index = TrainingIndex.from_state(values, finite_tensors(data["gallery.safetensors"]))
        training_index.check(
            n_classes=len(serving_classifier.prior_), width=serving_classifier.config.network.width
        )
        if len(serving_classifier.beliefs_) not in (0, len(training_index.ids)):
            raise ValueError("it does not match the books the model was trained on.")
    return training_index


def _check_listed(data: Mapping[str, bytes], *names: str) -> None:
    for name in names:
        if name not in data:
            raise ArtifactError(f"{MANIFEST} does not list {name}.", file=MANIFEST)


def _check_metadata(seed: Any, classes: Any, held_out: Any, modalities: Any, parts: Any) -> None:
    for names in (classes, held_out, modalities):
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise TypeError("classes, held_out and modalities must be lists of strings.")
    if len(set(classes)) < max(2, len(classes)) or not modalities or not set(modalities) <= set(REGISTRY):
        raise ValueError("it has fewer than two categories, or unknown modalities.")
    if not isinstance(parts, dict) or set(parts) - {"judged"} != {"serving"}:
        raise ValueError("parts must be serving and optionally judged.")
    if type(seed) is not int:
        raise TypeError("seed must be an integer.")
