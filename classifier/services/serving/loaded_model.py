"""Model in the memory of the model server: a version, and the loans."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from django.conf import settings
from django.utils import timezone

from classifier.pipeline.features.cache import FeatureCache
from classifier.pipeline.model import TrainedModel
from classifier.pipeline.records import BookRecord, Catalogue, LoanTable
from classifier.selectors.records import loans
from classifier.services.registry.promotion import active_version
from classifier.services.registry.versions import clear_loaded, load_serving


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """The version that classifies, with the loans it classifies by; it abstains below `threshold`.

    Attributes
    ----------
    active
        Name of the version that was active; if its files are damaged, another version serves.
    """

    active: str
    version: str
    model: TrainedModel
    threshold: float
    loans: LoanTable

    @classmethod
    def current(cls) -> Self:
        """Load the version that classifies, and today's loans; raises `ClassifierError` if none loads."""
        torch.set_num_threads(1)
        active = active_version()
        version, model = load_serving(now=timezone.now())
        clear_loaded()
        model.extractor.cache = FeatureCache()  # nothing of a request is kept
        loaded = cls(
            active=active.name,
            version=version.name,
            # The evaluation classifier is as large, and no request needs it.
            model=replace(model, evaluation_classifier=model.serving_classifier),
            threshold=model.threshold(precision=settings.SUGGESTION_PRECISION),
            loans=loans()[0],
        )
        # Otherwise computed at the first request: the Chinese dictionary, the loan matrix.
        loaded.model.explain(loaded.as_catalogue([BookRecord(id="\0", title="first 第一本书")]))
        return loaded

    def as_catalogue(self, books: Sequence[BookRecord]) -> Catalogue:
        """Return books together with the loans."""
        return Catalogue(books=books, loans=self.loans)
