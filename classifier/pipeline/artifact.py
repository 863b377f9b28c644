"""The files of a trained model: safetensors for arrays, skops for scikit-learn, JSON for the rest.

Nothing in a model's folder is code. What is read is tried at once, so that a file that does not fit is
refused by name when the model is loaded, and not found out when it is first asked about a book.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save
from sklearn.svm import SVC, LinearSVC
from skops.io import dumps, get_untrusted_types, loads

from classifier.pipeline.calibration import Temperature
from classifier.pipeline.config import Config
from classifier.pipeline.errors import ArtifactError
from classifier.pipeline.features import Blocks, FeatureExtractor
from classifier.pipeline.folder import MANIFEST, as_json, json_object, read_folder, reading, write_folder
from classifier.pipeline.fusion import FusionClassifier
from classifier.pipeline.gallery import Gallery
from classifier.pipeline.modalities import REGISTRY
from classifier.pipeline.modality import BlockSpec
from classifier.pipeline.model import TrainedModel
from classifier.pipeline.network import FusionModule, FusionNetwork
from classifier.pipeline.records import BookRecord, Catalogue
from classifier.pipeline.svm import FusedSvm
from classifier.pipeline.tensors import finite_tensors
from classifier.pipeline.unseen import Unseen

_SEPARATOR = "+"  # between the modalities of a machine
_STEEPEST = 2  # of a logarithm of a temperature
_LARGEST = 1000  # of what weighs or divides scores; what is fitted stays below 100
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
        part: _load_classifier(
            FusionClassifier(config=config, seed=seed), folder, data, part, parts[part], probe, len(classes)
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
        arrays = {"beliefs": classifier.beliefs_, "prior": classifier.prior_}
        files[f"{part}.safetensors"] = save(_network_tensors(classifier.networks_) | arrays)
        machines = {_SEPARATOR.join(names): svm.machine_ for names, svm in classifier.machines_.items()}
        files[f"{part}.skops"] = dumps(machines)
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
            "parts": {part: _numbers(classifier) for part, classifier in parts.items()},
            "held_out": model.held_out,
        }
    )
    return files


def _network_tensors(networks: Sequence[FusionNetwork]) -> dict[str, Any]:
    """Return all weights as ``<network>/<name>``; term tables in the half precision they were rounded to."""
    return {
        f"{k}/{name}": (tensor.half() if name.endswith(".table") else tensor).numpy()
        for k, network in enumerate(networks)
        for name, tensor in network.module_.state_dict().items()
    }


def _numbers(classifier: FusionClassifier) -> dict[str, Any]:
    weights = {
        _SEPARATOR.join(names): [svm.svm_weight_, svm.vote_weight_]
        for names, svm in classifier.machines_.items()
    }
    uses = {_SEPARATOR.join(names): _SEPARATOR.join(used) for names, used in classifier.uses_.items()}
    return {
        "vote_share": classifier.vote_share_,
        "expected": asdict(classifier.expected_),
        "temperature": asdict(classifier.temperature_),
        "weights": weights,
        "uses": uses,
    }


def _load_classifier(
    classifier: FusionClassifier,
    folder: Path,
    data: Mapping[str, bytes],
    part: str,
    numbers: dict[str, Any],
    probe: Blocks,
    n_classes: int,
) -> FusionClassifier:
    """Give a classifier what it had learned, each piece tried on a book of which nothing is known."""
    with reading(folder, f"{part}.safetensors"):
        tensors = finite_tensors(data[f"{part}.safetensors"])
        classifier.modalities_ = list(probe)
        classifier.beliefs_, classifier.prior_ = tensors.pop("beliefs"), tensors.pop("prior")
        if classifier.prior_.shape != (n_classes,) or classifier.beliefs_.shape[1:] != (n_classes,):
            raise ValueError("it is of other categories.")
        specs = {name: block.spec for name, block in probe.items()}
        classifier.networks_ = [
            _load_network(classifier, specs, n_classes, tensors, k) for k in range(_count(tensors))
        ]
        books = classifier.encode(probe)
        votes = classifier.votes(books)
    with reading(folder, "model.json"):
        (classifier.vote_share_,) = _positive([numbers["vote_share"]], 1)
        classifier.expected_ = _temperature(numbers["expected"])
        classifier.temperature_ = _temperature(numbers["temperature"])
        weights = {joined: _positive(both, 2) for joined, both in numbers["weights"].items()}
        classifier.uses_ = _uses(numbers["uses"], set(weights))
    machines = _machines(folder, data, f"{part}.skops")
    classifier.machines_ = {}
    with reading(folder, f"{part}.skops"):
        if set(machines) != set(weights):
            raise ValueError("its machines are not those of model.json.")
        for joined, both in weights.items():
            names = tuple(joined.split(_SEPARATOR))
            svm = FusedSvm(settings=classifier.config.svm, seed=classifier.seed)
            svm.svm_weight_, svm.vote_weight_ = both
            svm.machine_, svm.n_classes_ = _checked(machines[joined], n_classes), n_classes
            if not np.isfinite(svm.scores(classifier.represent(books, votes, names), votes[:, 0])).all():
                raise ValueError("it holds what is no finite number.")
            classifier.machines_[names] = svm
    return classifier


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


def _load_network(
    classifier: FusionClassifier,
    specs: dict[str, BlockSpec],
    n_classes: int,
    tensors: Mapping[str, Any],
    k: int,
) -> FusionNetwork:
    network = FusionNetwork(settings=classifier.config.network, seed=classifier.seed)
    with torch.device("meta"):  # no memory is taken for what a damaged file claims to hold
        network.module_ = FusionModule(specs, n_classes, classifier.config.network)
    weights = {
        name: torch.from_numpy(np.array(tensors[f"{k}/{name}"])).to(like.dtype)
        for name, like in network.module_.state_dict().items()
    }
    network.module_.load_state_dict(weights, assign=True)
    network.module_.eval()
    return network


def _count(tensors: Mapping[str, Any]) -> int:
    """Return how many networks there are."""
    found = {name.partition("/")[0] for name in tensors}
    if not found or found != {str(k) for k in range(len(found))}:
        raise ValueError("it holds no networks, or not all of them.")
    return len(found)


def _machines(folder: Path, data: Mapping[str, bytes], name: str) -> dict[str, Any]:
    with reading(folder, name):
        # skops trusts scikit-learn's own estimators by default; anything beyond them is not ours.
        if foreign := get_untrusted_types(data=data[name]):
            raise ArtifactError(
                f"{name} holds types that a model has no use for: {', '.join(foreign)}.", file=name
            )
        machines = loads(data[name])
        if not isinstance(machines, dict):
            raise TypeError("it holds no machines by their modalities.")
        return machines


def _checked(machine: Any, n_classes: int) -> Any:
    """Return a support vector machine that its own code can be trusted with."""
    if type(machine) not in (LinearSVC, SVC):
        raise TypeError("it holds what is no support vector machine.")
    classes = machine.classes_
    if classes.dtype.kind != "i" or len(classes) < 2 or not set(classes.tolist()) <= set(range(n_classes)):
        raise ValueError("it is of other categories.")
    if type(machine) is SVC:  # libsvm reads as far as it is told to
        vectors = len(machine.support_vectors_)
        pairs = len(classes) * (len(classes) - 1) // 2
        shapes = [machine._dual_coef_.shape, machine._n_support.shape, machine._intercept_.shape]
        expected = [(len(classes) - 1, vectors), (len(classes),), (pairs,)]
        whole = machine.support_vectors_.shape == (len(machine.support_), machine.n_features_in_)
        if not whole or shapes != expected or machine._n_support.min() < 0:
            raise ValueError("its support vectors do not fit together.")
    return machine


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


def _uses(uses: Mapping[str, str], known: set[str]) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Return by which of its modalities a book is judged; there must be a machine for them."""
    if set(uses) != known or not set(uses.values()) <= known:
        raise ValueError("it does not say by which modalities books are judged.")
    found = {tuple(has.split(_SEPARATOR)): tuple(by.split(_SEPARATOR)) for has, by in uses.items()}
    if not all(set(by) <= set(has) for has, by in found.items()):
        raise ValueError("books would be judged by what they have not.")
    return found


def _temperature(numbers: Mapping[str, Any]) -> Temperature:
    level, slope = float(numbers["level"]), float(numbers["slope"])
    if not max(abs(level), abs(slope)) <= _STEEPEST:
        raise ValueError(f"a temperature of {numbers} is none that is ever fitted.")
    return Temperature(level=level, slope=slope)


def _positive(numbers: Any, n: int) -> list[float]:
    values = [float(number) for number in numbers]
    if len(values) != n or not all(0 <= value <= _LARGEST for value in values):
        raise ValueError(f"{numbers} should be {n} numbers from 0 to {_LARGEST}.")
    return values
