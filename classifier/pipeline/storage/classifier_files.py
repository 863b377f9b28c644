"""The files of one fusion classifier: the networks' weights and its arrays, its machines, and a few numbers.

A model has one or two (`classifier.pipeline.storage.artifact`). A machine's own code is run only when its
arrays have been found to fit together.
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

from classifier.pipeline.config import Config
from classifier.pipeline.errors import ArtifactError
from classifier.pipeline.evaluation.calibration import Temperature
from classifier.pipeline.features.base import BlockSpec
from classifier.pipeline.features.extractor import Blocks
from classifier.pipeline.fusion.architecture import FusionModule
from classifier.pipeline.fusion.classifier import FusionClassifier
from classifier.pipeline.fusion.network import FusionNetwork
from classifier.pipeline.fusion.svm import FusedSvm
from classifier.pipeline.storage.sealed_directory import reading
from classifier.pipeline.storage.tensors import finite_tensors

_SEPARATOR = "+"  # between the modalities of a machine
_STEEPEST = 2  # of a logarithm of a temperature
_LARGEST = 1000  # of what weighs or divides scores; what is fitted stays below 100


def classifier_files(classifier: FusionClassifier, *, part: str) -> dict[str, bytes]:
    """Return the files of a classifier, named after the part of the model that it is."""
    arrays = {"beliefs": classifier.beliefs_, "prior": classifier.prior_}
    machines = {_SEPARATOR.join(names): svm.machine_ for names, svm in classifier.machines_.items()}
    return {
        f"{part}.safetensors": save(_network_tensors(classifier.networks_) | arrays),
        f"{part}.skops": dumps(machines),
    }


def classifier_numbers(classifier: FusionClassifier) -> dict[str, Any]:
    """Return what a classifier has learned beside its files, as JSON values."""
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
    """Return a classifier with what it had learned, each piece tried on a book of which nothing is known.

    Parameters
    ----------
    folder : Path
        Named in errors.
    data : mapping of str to bytes
        The files, with those that `classifier_files` gave.
    part : str
    numbers : mapping
        As `classifier_numbers` gave them.
    config : Config
    seed : int
    probe : Blocks
        Of that book.
    n_classes : int

    Raises
    ------
    ArtifactError
        If a file does not hold what it should; it is named.
    """
    classifier = FusionClassifier(config=config, seed=seed)
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


def _network_tensors(networks: Sequence[FusionNetwork]) -> dict[str, Any]:
    """Return all weights as ``<network>/<name>``; term tables in the half precision they were rounded to."""
    return {
        f"{k}/{name}": (tensor.half() if name.endswith(".table") else tensor).numpy()
        for k, network in enumerate(networks)
        for name, tensor in network.module_.state_dict().items()
    }


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
