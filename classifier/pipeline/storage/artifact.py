"""The folder of a trained model: safetensors for arrays, skops for scikit-learn, JSON for the rest.

Nothing in a model's folder is code. What is read is tried at once, so that a file that does not fit is
refused by name when the model is loaded, and not found out when it is first asked about a book.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.numpy import save

from classifier.pipeline.config import Config
from classifier.pipeline.errors import ArtifactError
from classifier.pipeline.explanation.training_index import Gallery
from classifier.pipeline.features.extractor import FeatureExtractor
from classifier.pipeline.features.modalities import REGISTRY
from classifier.pipeline.fusion.classifier import FusionClassifier
from classifier.pipeline.fusion.out_of_fold import Unseen
from classifier.pipeline.model import TrainedModel
from classifier.pipeline.records import BookRecord, Catalogue
from classifier.pipeline.storage.classifier_files import (
    classifier_files,
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
    """Write a model into a new folder.

    Raises
    ------
    ArtifactError
        If the folder exists already: a stored model never changes.
    OSError
        If the disk is full or not writable; nothing is left behind.
    """
    write_folder(folder, _files(model))


def load_model(folder: Path) -> TrainedModel:
    """Read a model that `save_model` wrote, on the CPU.

    Raises
    ------
    ArtifactError
        If a file is missing, altered, of another format, or does not hold what it should; it is named.
    """
    data = read_folder(folder)
    _check_listed(data, "model.json")
    with reading(folder, "model.json"):
        about = json_object(data["model.json"])
        config = Config.from_dict(about["config"])
        seed, classes, held_out = about["seed"], about["classes"], about["held_out"]
        modalities, parts = about["modalities"], about["parts"]
        _check_about(seed, classes, held_out, modalities, parts)
    for name in modalities:
        _check_listed(data, f"{name}.json", f"{name}.safetensors")
    for part in parts:
        _check_listed(data, f"{part}.safetensors", f"{part}.skops")
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
        answers = finite_tensors(data["held_out.safetensors"])
        confidence, correct = answers["confidence"], answers["correct"]
        if confidence.shape != (len(held_out),) or correct.shape != (len(held_out),) or correct.dtype != bool:
            raise ValueError("it is not of the books held out.")
    gallery = _load_gallery(folder, data, classifiers["serving"])
    with reading(folder, "unseen.safetensors"):
        unseen = Unseen.from_tensors(
            finite_tensors(data["unseen.safetensors"]),
            n_books=len(gallery.ids),
            n_classes=len(classes),
            n_networks=len(classifiers["serving"].networks_),
        )
    return TrainedModel(
        config=config,
        seed=seed,
        classes=classes,
        extractor=extractor,
        serving=classifiers["serving"],
        judged=classifiers.get("judged", classifiers["serving"]),
        gallery=gallery,
        unseen=unseen,
        held_out=held_out,
        confidence=confidence,
        correct=correct,
    )


def _files(model: TrainedModel) -> dict[str, bytes]:
    parts = {"serving": model.serving}
    if model.judged is not model.serving:
        parts["judged"] = model.judged
    files: dict[str, bytes] = {}
    for name, (values, tensors) in model.extractor.state().items():
        files[f"{name}.json"] = as_json(values)
        files[f"{name}.safetensors"] = save(tensors)
    for part, classifier in parts.items():
        files |= classifier_files(classifier, part=part)
    values, tensors = model.gallery.state()
    files["gallery.json"], files["gallery.safetensors"] = as_json(values), save(tensors)
    files["unseen.safetensors"] = save(model.unseen.tensors())
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


def _load_gallery(folder: Path, data: Mapping[str, bytes], serving: FusionClassifier) -> Gallery:
    with reading(folder, "gallery.json"):
        values = json_object(data["gallery.json"])
        if not set(values["shown"]) <= set(serving.modalities_):
            raise ValueError("it shows a modality that the model has not.")
    with reading(folder, "gallery.safetensors"):
        gallery = Gallery.from_state(values, finite_tensors(data["gallery.safetensors"]))
        gallery.check(n_classes=len(serving.prior_), width=serving.config.network.width)
        if len(serving.beliefs_) not in (0, len(gallery.ids)):
            raise ValueError("it is not of the books that the model was trained on.")
    return gallery


def _check_listed(data: Mapping[str, bytes], *names: str) -> None:
    for name in names:
        if name not in data:
            raise ArtifactError(f"{MANIFEST} does not list {name}.", file=MANIFEST)


def _check_about(seed: Any, classes: Any, held_out: Any, modalities: Any, parts: Any) -> None:
    for names in (classes, held_out, modalities):
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise TypeError("classes, held_out and modalities are lists of names.")
    if len(set(classes)) < max(2, len(classes)) or not modalities or not set(modalities) <= set(REGISTRY):
        raise ValueError("it has fewer than two categories, or modalities that this release does not know.")
    if not isinstance(parts, dict) or set(parts) - {"judged"} != {"serving"}:
        raise ValueError("parts are serving, and judged where that is another one.")
    if type(seed) is not int:
        raise TypeError("seed is a whole number.")
