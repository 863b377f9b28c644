"""Sentence modalities fitted to a small shelf."""

import json

import numpy as np
from safetensors.numpy import load, save

from classifier.pipeline.config import Config
from classifier.pipeline.features.cache import FeatureCache
from classifier.pipeline.features.modalities.sentence import SentenceModality
from classifier.pipeline.records import BookRecord, Catalogue

SHELF = Catalogue(
    books=[
        BookRecord(id="1", title="Soup and bread", description="<p>A kitchen &amp; its oven</p>"),
        BookRecord(id="2", title="量子", subtitle="科学"),
        BookRecord(id="3", title=" ", description="<br>", year=1900),
        BookRecord(id="4", description="war of kings"),
    ]
)


def fitted(
    model, *settings: str, cache: FeatureCache | None = None, catalogue: Catalogue = SHELF
) -> SentenceModality:
    modality = SentenceModality.from_config(Config().with_settings([f"sentence.model={model}", *settings]))
    modality.cache = cache or FeatureCache()
    return modality.fit(catalogue, rng=np.random.default_rng(0))


def stored(modality: SentenceModality) -> SentenceModality:
    """Return the modality as it comes back from files."""
    values, tensors = modality.state()
    values = json.loads(json.dumps(values))
    return SentenceModality(settings=modality.settings).load_state(values, load(save(tensors)))
