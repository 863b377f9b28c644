"""What is true of a library whatever was killed, once its runs are over."""

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from django.db.models import QuerySet

from classifier.models import (
    Chunk,
    ModelVersion,
    Reclassification,
    Recommendation,
    Run,
    Suggestion,
    TitleLinks,
)
from classifier.services.registry.versions import load_serving, load_version
from library.catalogue.models import Book
from tests.classifier.libraries import CATEGORISED, UNCATEGORISED
from tests.factories import NOW

RANKS = 3
#: What stands in a data folder that nobody works on; tuning keeps its search for who goes on with it.
FOLDERS = {"cache", "models", "queue", "secrets", "tuning"}
CACHE = {"features.sqlite3", "features.sqlite3-wal", "features.sqlite3-shm", "requests", "covers"}


def check_all(folder: Path) -> None:
    """Check the database that is open, and its data folder."""
    runs_are_over()
    books_are_all_there_and_classified_once()
    versions_load()
    nothing_lies_about(folder)


def runs_are_over() -> None:
    for run in Run.objects.all():
        assert run.status not in Run.ACTIVE
        assert (run.error != "") == (run.status in ("failed", "errored")), run.error
        assert run.finished_at is not None
        assert run.attempt > 0 or run.status == "cancelled"
    # What a run has to do with stands or falls with it.
    assert not Chunk.objects.exists()
    for batch in Reclassification.objects.exclude(run=None):
        assert batch.complete == (batch.run.status == "succeeded")


def books_are_all_there_and_classified_once() -> None:
    total = CATEGORISED + UNCATEGORISED
    numbers = Book.objects.filter(control_number__regex=r"^b\d{3}$").values_list("control_number", flat=True)
    assert sorted(numbers) == [f"b{number:03}" for number in range(total)]
    by_book = defaultdict(list)
    for book, rank, version in Suggestion.objects.values_list("book", "rank", "model_version"):
        by_book[book].append((rank, version))
    assert len(by_book) == Book.objects.count()
    for found in by_book.values():
        assert sorted(rank for rank, _ in found) == list(range(1, RANKS + 1))
        assert len({version for _, version in found}) == 1
    ranks_are_whole(Recommendation.objects.values_list("borrower", "rank"))
    assert TitleLinks.objects.exists()


def ranks_are_whole(rows: Iterable[tuple[int, int]] | QuerySet) -> None:
    ranks = defaultdict(list)
    for key, rank in rows:
        ranks[key].append(rank)
    assert ranks
    for found in ranks.values():
        assert sorted(found) == list(range(1, len(found) + 1))


def versions_load() -> None:
    active = ModelVersion.objects.get(state="active")
    assert load_serving(now=NOW)[0] == active
    for version in ModelVersion.objects.filter(pruned_at=None):
        load_version(version=version)
    for version in ModelVersion.objects.exclude(trained_by=None):
        assert version.trained_by.status == "succeeded"
        assert version.trained_by.result["version"] == version.name
    # Who was killed half-way leaves no version that no run tells of.
    assert not ModelVersion.objects.filter(trained_by=None).exists()


def nothing_lies_about(folder: Path) -> None:
    named = set(ModelVersion.objects.filter(pruned_at=None).values_list("name", flat=True))
    assert {entry.name for entry in (folder / "models").iterdir()} == named
    for version in (folder / "models").iterdir():
        listed = json.loads((version / "manifest.json").read_bytes())["files"]
        assert {file.name for file in version.iterdir()} == {*listed, "manifest.json"}
    assert {entry.name for entry in folder.iterdir() if entry.is_dir()} <= FOLDERS
    assert {entry.name for entry in (folder / "cache").iterdir()} <= CACHE
    if (folder / "tuning").is_dir():
        assert {file.suffix for file in (folder / "tuning").iterdir()} <= {".journal"}
