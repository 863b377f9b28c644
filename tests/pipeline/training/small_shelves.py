"""Small catalogues for training tests."""

from classifier.pipeline.records import BookRecord, Catalogue
from tests.pipeline.catalogues import TINY

QUICK = TINY.with_settings(["network.epochs=2"])


def shelf(*categories: str | None) -> Catalogue:
    return Catalogue(
        books=[BookRecord(id=str(i), title=f"title {i % 3}", category=c) for i, c in enumerate(categories)]
    )
