"""A trained model and its files: safetensors for arrays, skops for scikit-learn, JSON for the rest.

Nothing in a model directory is code. It is written beside its place and renamed into it, so it is there
whole or not at all, and the manifest holds a SHA-256 of every file, so a changed byte is refused by name.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load, save
from skops.io import dumps, get_untrusted_types, loads

from classifier.pipeline.config import Config
from classifier.pipeline.errors import ArtifactError
from classifier.pipeline.features import FeatureExtractor
from classifier.pipeline.fusion import FusionClassifier
from classifier.pipeline.modality import BlockSpec
from classifier.pipeline.network import FusionModule, FusionNetwork
from classifier.pipeline.records import Catalogue, Float64
from classifier.pipeline.suggestion import Suggestion, best_suggestions
from classifier.pipeline.svm import CalibratedSvm

FORMAT = 1
_MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """Everything needed to classify books, and to judge the classifying again.

    Attributes
    ----------
    config : Config
    seed : int
    classes : list of str
        Category of each column of probabilities.
    extractor : FeatureExtractor
    serving : FusionClassifier
        Classifies; may have learned from the held-out books too.
    judged : FusionClassifier
        Has never seen the held-out books; the same object as `serving` where that is trained once.
    held_out : list of str
        Ids of the held-out books.
    majority : int
        Class of most books that `judged` learned from.
    """

    config: Config
    seed: int
    classes: list[str]
    extractor: FeatureExtractor
    serving: FusionClassifier
    judged: FusionClassifier
    held_out: list[str]
    majority: int

    def predict_proba(self, catalogue: Catalogue) -> Float64:
        """Return calibrated probabilities (n_books, n_classes)."""
        return self.serving.predict_proba(self.extractor.transform(catalogue))

    def suggest(self, catalogue: Catalogue, *, ranks: int = 3) -> list[Suggestion]:
        """Return the best `ranks` categories of each book, in the order of the books."""
        if not catalogue.books:
            return []
        ids = [book.id for book in catalogue.books]
        return best_suggestions(self.predict_proba(catalogue), ids=ids, classes=self.classes, ranks=ranks)


def save_model(model: TrainedModel, folder: Path) -> None:
    """Write a model into a new folder.

    Raises
    ------
    ArtifactError
        If the folder exists already: a stored model never changes.
    OSError
        If the disk is full or not writable; nothing is left behind.
    """
    if folder.exists():
        raise ArtifactError(f"There is a model in {folder.name} already; a stored model never changes.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
    try:
        hashes = {name: _write(temporary / name, data) for name, data in _files(model).items()}
        manifest = {"format": FORMAT, "files": hashes}
        _write(temporary / _MANIFEST, _json(manifest))
        os.rename(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def load_model(folder: Path) -> TrainedModel:
    """Read a model that `save_model` wrote, on the CPU.

    Raises
    ------
    ArtifactError
        If a file is missing, altered, or of another format; it is named.
    """
    data = _verified(folder)
    about = json.loads(data["model.json"])
    needed = [f"{name}{suffix}" for name in about["modalities"] for suffix in (".json", ".safetensors")]
    needed += [f"{part}{suffix}" for part in about["svm"] for suffix in (".safetensors", ".skops")]
    for name in needed:
        if name not in data:
            raise ArtifactError(f"{folder.name}/{_MANIFEST} does not list {name}.", file=_MANIFEST)
    config = Config.from_dict(about["config"])
    states = {
        name: (json.loads(data[f"{name}.json"]), load(data[f"{name}.safetensors"]))
        for name in about["modalities"]
    }
    extractor = FeatureExtractor(config=config).load_state(states)
    specs = {name: modality.spec for name, modality in extractor.modalities_.items()}

    def classifier(part: str) -> FusionClassifier:
        return _load_classifier(
            data, part, about["svm"][part], config, about["seed"], specs, len(about["classes"])
        )

    serving = classifier("serving")
    return TrainedModel(
        config=config,
        seed=about["seed"],
        classes=about["classes"],
        extractor=extractor,
        serving=serving,
        judged=classifier("judged") if "judged" in about["svm"] else serving,
        held_out=about["held_out"],
        majority=about["majority"],
    )


def _files(model: TrainedModel) -> dict[str, bytes]:
    parts = {"serving": model.serving}
    if model.judged is not model.serving:
        parts["judged"] = model.judged
    files: dict[str, bytes] = {}
    for name, (values, tensors) in model.extractor.state().items():
        files[f"{name}.json"] = _json(values)
        files[f"{name}.safetensors"] = save(tensors)
    for part, classifier in parts.items():
        files[f"{part}.safetensors"] = save(_network_tensors(classifier.networks_))
        files[f"{part}.skops"] = dumps(classifier.svm_.machine_)
    files["model.json"] = _json(
        {
            "config": model.config.to_dict(),
            "seed": model.seed,
            "classes": model.classes,
            "modalities": list(model.extractor.modalities_),
            "svm": {part: {"sharpness": c.svm_.sharpness_} for part, c in parts.items()},
            "held_out": model.held_out,
            "majority": model.majority,
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


def _load_classifier(
    data: dict[str, bytes],
    part: str,
    svm: dict[str, Any],
    config: Config,
    seed: int,
    specs: dict[str, BlockSpec],
    n_classes: int,
) -> FusionClassifier:
    classifier = FusionClassifier(config=config, seed=seed)
    classifier.modalities_ = list(specs)
    tensors = load(data[f"{part}.safetensors"])
    classifier.networks_ = []
    for k in sorted({int(name.partition("/")[0]) for name in tensors}):
        network = FusionNetwork(settings=config.network, seed=seed)
        network.module_ = FusionModule(specs, n_classes, config.network)
        weights = {
            name.partition("/")[2]: torch.from_numpy(np.array(array))
            for name, array in tensors.items()
            if name.startswith(f"{k}/")
        }
        network.module_.load_state_dict(weights)
        network.module_.eval()
        classifier.networks_.append(network)
    classifier.svm_ = CalibratedSvm(settings=config.svm, seed=seed)
    classifier.svm_.machine_ = _machine(data, f"{part}.skops")
    classifier.svm_.sharpness_ = svm["sharpness"]
    classifier.svm_.n_classes_ = n_classes
    return classifier


def _machine(data: dict[str, bytes], name: str) -> Any:
    # skops trusts scikit-learn's own estimators by default; anything beyond them is not ours.
    if foreign := get_untrusted_types(data=data[name]):
        raise ArtifactError(
            f"{name} holds types that a model has no use for: {', '.join(foreign)}.", file=name
        )
    return loads(data[name])


def _verified(folder: Path) -> dict[str, bytes]:
    """Read every file of a model and check it against the manifest."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_bytes())
        form, hashes = manifest["format"], dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{folder.name}/{_MANIFEST} is missing or damaged.", file=_MANIFEST) from error
    if form != FORMAT:
        raise ArtifactError(f"{folder.name} has format {form}; this release reads {FORMAT}.", file=_MANIFEST)
    data = {}
    for name, digest in hashes.items():
        if Path(name).name != name:
            raise ArtifactError(f"{_MANIFEST} names a file outside the model: {name}.", file=_MANIFEST)
        try:
            data[name] = (folder / name).read_bytes()
        except OSError as error:
            raise ArtifactError(f"{folder.name}/{name} is missing or unreadable.", file=name) from error
        if hashlib.sha256(data[name]).hexdigest() != digest:
            raise ArtifactError(f"{folder.name}/{name} has been altered since it was written.", file=name)
    if "model.json" not in data:
        raise ArtifactError(f"{folder.name}/{_MANIFEST} does not list model.json.", file=_MANIFEST)
    return data


def _write(path: Path, data: bytes) -> str:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return hashlib.sha256(data).hexdigest()


def _json(values: Any) -> bytes:
    return json.dumps(values, ensure_ascii=False).encode()
