"""What the process holds that answers about books: a version of the model, and the loans."""

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
from classifier.services.registry.versions import forget_loaded, load_serving

_NO_LOANS = LoanTable()


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What the process holds.

    Attributes
    ----------
    active : str
        Name of the version that was active; where its files are damaged, another one serves.
    version : str
    model : TrainedModel
    threshold : float
    loans : LoanTable, optional
        None while they are being read.
    """

    active: str
    version: str
    model: TrainedModel
    threshold: float
    loans: LoanTable | None = None

    @classmethod
    def of_today(cls) -> Self:
        """Load the version that classifies; without the loans, which take long in a large library.

        Raises
        ------
        ClassifierError
            If there is none, or it cannot be loaded.
        """
        torch.set_num_threads(1)
        active = active_version()
        version, model = load_serving(now=timezone.now())
        forget_loaded()
        model.extractor.cache = FeatureCache()  # nothing is kept of what is asked
        held = cls(
            active=active.name,
            version=version.name,
            model=replace(model, judged=model.serving),  # the other one, as large, answers nobody
            threshold=model.threshold(precision=settings.SUGGESTION_PRECISION),
        )
        held.warm()
        return held

    def with_loans(self) -> Self:
        """Return the same with the loans of today."""
        held = replace(self, loans=loans()[0])
        held.warm()
        return held

    def warm(self) -> None:
        """Work out what is only read at the first question: the dictionary of Chinese words, who had what."""
        self.model.explain(self.asked_about([BookRecord(id="\0", title="first 第一本书")]))

    def asked_about(self, books: Sequence[BookRecord]) -> Catalogue:
        """Return books as the model is asked about them."""
        return Catalogue(books=books, loans=_NO_LOANS if self.loans is None else self.loans)
