"""Invariants of a library whose runs have finished, whatever was killed before."""

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from django.db.models import QuerySet

from classifier.models import (
    Batch,
    Chunk,
    ItemNeighbours,
    ModelVersion,
    Recommendation,
    Run,
    Suggestion,
)
from classifier.services.registry.versions import load_serving, load_version
from library.catalogue.models import Book
from tests.classifier.libraries import CATEGORISED, UNCATEGORISED
from tests.factories import NOW

RANKS = 3
#: Folders of a data folder that no process works on; tuning keeps its search so that it can be continued.
FOLDERS = {"cache", "models", "queue", "secrets", "tuning"}
CACHE = {"features.sqlite3", "features.sqlite3-wal", "features.sqlite3-shm", "requests", "covers"}


def check_all(folder: Path) -> None:
    """Check the open database and its data folder."""
    check_runs_finished()
    check_books_classified_once()
    check_versions_load()
    check_no_leftover_files(folder)


def check_runs_finished() -> None:
    for run in Run.objects.all():
        assert run.status not in Run.ACTIVE
        assert (run.error != "") == (run.status in ("failed", "errored")), run.error
        assert run.finished_at is not None
        assert run.attempt > 0 or run.status == "cancelled"
    assert not Chunk.objects.exists()
    for batch in Batch.objects.exclude(run=None):
        assert batch.complete == (batch.run.status == "succeeded")


def check_books_classified_once() -> None:
    total = CATEGORISED + UNCATEGORISED
    numbers = Book.objects.filter(control_number__regex=r"^b\d{3}$").values_list("control_number", flat=True)
    assert sorted(numbers) == [f"b{number:03}" for number in range(total)]
    by_book = defaultdict(list)
    for book, rank, version in Suggestion.objects.values_list("book", "rank", "model_version"):
        by_book[book].append((rank, version))
    assert len(by_book) == Book.objects.count()
    for suggestions in by_book.values():
        assert sorted(rank for rank, _ in suggestions) == list(range(1, RANKS + 1))
        assert len({version for _, version in suggestions}) == 1
    check_ranks(Recommendation.objects.values_list("borrower", "rank"))
    assert ItemNeighbours.objects.exists()


def check_ranks(rows: Iterable[tuple[int, int]] | QuerySet) -> None:
    ranks = defaultdict(list)
    for key, rank in rows:
        ranks[key].append(rank)
    assert ranks
    for values in ranks.values():
        assert sorted(values) == list(range(1, len(values) + 1))


def check_versions_load() -> None:
    active = ModelVersion.objects.get(state="active")
    assert load_serving(now=NOW)[0] == active
    for version in ModelVersion.objects.filter(pruned_at=None):
        load_version(version=version)
    for version in ModelVersion.objects.exclude(trained_by=None):
        assert version.trained_by.status == "succeeded"
        assert version.trained_by.result["version"] == version.name
    # A training that was killed leaves no version without a run.
    assert not ModelVersion.objects.filter(trained_by=None).exists()


def check_no_leftover_files(folder: Path) -> None:
    names = set(ModelVersion.objects.filter(pruned_at=None).values_list("name", flat=True))
    assert {entry.name for entry in (folder / "models").iterdir()} == names
    for version in (folder / "models").iterdir():
        listed = json.loads((version / "manifest.json").read_bytes())["files"]
        assert {file.name for file in version.iterdir()} == {*listed, "manifest.json"}
    assert {entry.name for entry in folder.iterdir() if entry.is_dir()} <= FOLDERS
    assert {entry.name for entry in (folder / "cache").iterdir()} <= CACHE
    if (folder / "tuning").is_dir():
        assert {file.suffix for file in (folder / "tuning").iterdir()} <= {".journal"}
