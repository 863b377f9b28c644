"""File of one fusion classifier: the arrays of its networks, discriminants and SVMs; and a few numbers.

A model has one or two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save

from classifier.pipeline.config import Config
from classifier.pipeline.evaluation.calibration import Temperature
from classifier.pipeline.features.base import BlockSpec
from classifier.pipeline.features.extractor import Blocks
from classifier.pipeline.fusion.architecture import FusionModule
from classifier.pipeline.fusion.classifier import FusionClassifier
from classifier.pipeline.fusion.discriminant import Discriminant
from classifier.pipeline.fusion.network import FusionNetwork
from classifier.pipeline.fusion.svm import FusedSvm
from classifier.pipeline.storage.sealed_directory import reading
from classifier.pipeline.storage.tensors import finite_tensors

_SEPARATOR = "+"  # between the modalities of an SVM
_MAX_LOG_TEMPERATURE = 2
_MAX_WEIGHT = 1000  # fitted weights stay below 100


def classifier_file(classifier: FusionClassifier) -> bytes:
    """Return the arrays of a classifier as a safetensors file."""
    arrays = {"beliefs": classifier.beliefs_, "prior": classifier.prior_}
    for name, discriminant in classifier.discriminants_.items():
        arrays |= {f"discriminant/{name}/{key}": array for key, array in discriminant.tensors().items()}
    for names, svm in classifier.svms_.items():
        arrays |= {f"svm/{_SEPARATOR.join(names)}/{key}": array for key, array in svm.tensors().items()}
    return save(_network_tensors(classifier.networks_) | arrays)


def classifier_numbers(classifier: FusionClassifier) -> dict[str, Any]:
    """Return the learned numbers that are not in its file, as JSON values."""
    weights = {
        _SEPARATOR.join(names): [svm.svm_weight_, svm.vote_weight_, *svm.discriminant_weights_]
        for names, svm in classifier.svms_.items()
    }
    uses = {
        _SEPARATOR.join(names): _SEPARATOR.join(used) for names, used in classifier.modalities_used_.items()
    }
    return {
        "vote_share": classifier.vote_share_,
        "expected": asdict(classifier.expected_temperature_),
        "temperature": asdict(classifier.temperature_),
        "weights": weights,
        "uses": uses,
    }


def load_classifier(
    folder: Path,
    data: Mapping[str, bytes],
    *,
    part: str,
    numbers: Mapping[str, Any],
    config: Config,
    seed: int,
    probe: Blocks,
    n_classes: int,
) -> FusionClassifier:
    """Return a stored classifier, each part tested on the `probe`, an empty book.

    Parameters
    ----------
    data
        All files of the model.
    numbers
        From `classifier_numbers`.

    Raises
    ------
    ArtifactError
        If a part is missing or invalid.
    """
    classifier = FusionClassifier(config=config, seed=seed)
    with reading(folder, f"{part}.safetensors"):
        tensors = finite_tensors(data[f"{part}.safetensors"])
        classifier.modalities_ = list(probe)
        classifier.beliefs_, classifier.prior_ = tensors.pop("beliefs"), tensors.pop("prior")
        if classifier.prior_.shape != (n_classes,) or classifier.beliefs_.shape[1:] != (n_classes,):
            raise ValueError("its categories do not match the model.")
        specs = {name: block.spec for name, block in probe.items()}
        classifier.discriminants_ = _load_discriminants(specs, tensors, n_classes)
        svm_tensors = _linear_models("svm", tensors, n_classes)
        classifier.networks_ = [
            _load_network(classifier, specs, n_classes, tensors, k) for k in range(_count(tensors))
        ]
        books = classifier.encode(probe)
        votes = classifier.votes(books)
    with reading(folder, "model.json"):
        (classifier.vote_share_,) = _positive([numbers["vote_share"]], 1)
        classifier.expected_temperature_ = _temperature(numbers["expected"])
        classifier.temperature_ = _temperature(numbers["temperature"])
        weights = {
            key: _positive(
                values, 2 + sum(name in classifier.discriminants_ for name in key.split(_SEPARATOR))
            )
            for key, values in numbers["weights"].items()
        }
        classifier.modalities_used_ = _uses(numbers["uses"], set(weights))
    classifier.svms_ = {}
    with reading(folder, f"{part}.safetensors"):
        if set(svm_tensors) != set(weights):
            raise ValueError("its machines do not match model.json.")
        for key, values in weights.items():
            names = tuple(key.split(_SEPARATOR))
            svm = FusedSvm(settings=classifier.config.svm, seed=classifier.seed)
            svm.svm_weight_, svm.vote_weight_, *svm.discriminant_weights_ = values
            svm.load_tensors(svm_tensors[key], n_classes=n_classes)
            X = classifier.represent(books, votes, names)
            scores = svm.scores(X, votes[:, 0], discriminants=classifier.discriminant_scores(books, names))
            if not np.isfinite(scores).all():
                raise ValueError("it contains a value that is not finite.")
            classifier.svms_[names] = svm
    return classifier


def _network_tensors(networks: Sequence[FusionNetwork]) -> dict[str, Any]:
    """Return all weights as ``<network>/<name>``; embedding tables in half precision."""
    return {
        f"{k}/{name}": (tensor.half() if name.endswith(".table") else tensor).numpy()
        for k, network in enumerate(networks)
        for name, tensor in network.module_.state_dict().items()
    }


def _load_discriminants(
    specs: Mapping[str, BlockSpec], tensors: dict[str, Any], n_classes: int
) -> dict[str, Discriminant]:
    """Take the discriminants out of the tensors."""
    stored = _linear_models("discriminant", tensors, n_classes)
    if not set(stored) <= {name for name, spec in specs.items() if spec.kind == "vector"}:
        raise ValueError("its discriminants do not match the modalities.")
    return {
        name: Discriminant.from_tensors(parts, width=specs[name].shape[0], n_classes=n_classes)
        for name, parts in stored.items()
    }


def _linear_models(kind: str, tensors: dict[str, Any], n_classes: int) -> dict[str, dict[str, Any]]:
    """Take the arrays of discriminants or SVMs out of the tensors, by modality or modalities."""
    stored: dict[str, dict[str, Any]] = {}
    for key in [key for key in tensors if key.startswith(f"{kind}/")]:
        _, name, part = key.split("/")
        stored.setdefault(name, {})[part] = tensors.pop(key)
    for parts in stored.values():
        classes, possible = parts["classes"], set(range(n_classes))
        if classes.dtype.kind != "i" or len(classes) < 2 or not set(classes.tolist()) <= possible:
            raise ValueError("its machines do not match the categories.")
    return stored


def _load_network(
    classifier: FusionClassifier,
    specs: dict[str, BlockSpec],
    n_classes: int,
    tensors: Mapping[str, Any],
    k: int,
) -> FusionNetwork:
    network = FusionNetwork(settings=classifier.config.network, seed=classifier.seed)
    with torch.device("meta"):  # a damaged file must not make us allocate memory
        network.module_ = FusionModule(specs, n_classes, classifier.config.network)
    weights = {
        name: torch.from_numpy(np.array(tensors[f"{k}/{name}"])).to(like.dtype)
        for name, like in network.module_.state_dict().items()
    }
    network.module_.load_state_dict(weights, assign=True)
    network.module_.eval()
    return network


def _count(tensors: Mapping[str, Any]) -> int:
    numbers = {name.partition("/")[0] for name in tensors}
    if not numbers or numbers != {str(k) for k in range(len(numbers))}:
        raise ValueError("networks are missing.")
    return len(numbers)


def _uses(uses: Mapping[str, str], subsets: set[str]) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Return the modalities used for each set of modalities; both must have an SVM."""
    if set(uses) != subsets or not set(uses.values()) <= subsets:
        raise ValueError("uses does not match the machines.")
    used = {tuple(has.split(_SEPARATOR)): tuple(by.split(_SEPARATOR)) for has, by in uses.items()}
    if not all(set(by) <= set(has) for has, by in used.items()):
        raise ValueError("uses names modalities that a book does not have.")
    return used


def _temperature(numbers: Mapping[str, Any]) -> Temperature:
    level, slope = float(numbers["level"]), float(numbers["slope"])
    if not max(abs(level), abs(slope)) <= _MAX_LOG_TEMPERATURE:
        raise ValueError(f"temperature {numbers} is out of range.")
    return Temperature(level=level, slope=slope)


def _positive(numbers: Any, n: int) -> list[float]:
    values = [float(number) for number in numbers]
    if len(values) != n or not all(0 <= value <= _MAX_WEIGHT for value in values):
        raise ValueError(f"{numbers} must be {n} numbers from 0 to {_MAX_WEIGHT}.")
    return values
