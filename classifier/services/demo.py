"""Demo: a small invented library, imported, trained on, classified and counted."""

import csv
import shutil
from datetime import datetime
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model

from classifier.errors import ClassifierError
from classifier.models import ModelVersion, Recommendation, Run, Suggestion
from classifier.services.jobs import run_here
from library.admin_site.roles import ensure_roles
from library.analytics.services.refresh import refresh_statistics
from library.catalogue.importing.books import import_books
from library.catalogue.importing.categories import import_categories
from library.catalogue.models import Book
from library.circulation.importing.loans import import_loans
from library.console import Progress, no_progress
from library.demo.generate import DemoFiles, generate
from library.people.selectors import without_personal_data

ADMIN = "demo-admin"
SAMPLES = 10


def build_demo(*, now: datetime, seed: int = 1, progress: Progress = no_progress) -> dict[str, Any]:
    """Create the demo library up to `now`, train, classify, recommend and count; skip steps already done.

    Returns
    -------
    dict
        ``metrics`` of the active version, ``classifications`` and ``recommendations`` (samples), ``username``
        of the administrator, and ``password``, None if the user existed.

    Raises
    ------
    ClassifierError
        If the data folder contains another library.
    """
    files = _demo_files(now=now, seed=seed, progress=progress)
    if not ModelVersion.objects.filter(state="active").exists():
        import_categories(path=files.categories, progress=progress)
        import_books(path=files.books, covers=files.covers, now=now, progress=progress)
        import_loans(path=files.loans, now=now, progress=progress)
        run_here(kind=Run.Kind.TRAIN, now=now, parameters={"seed": seed}, progress=progress)
    if not Recommendation.objects.exists():
        run_here(kind=Run.Kind.RECLASSIFY, now=now, progress=progress)
        run_here(kind=Run.Kind.ORDER_REVIEWS, now=now, progress=progress)
        run_here(kind=Run.Kind.RECOMMEND, now=now, progress=progress)
    refresh_statistics(now=now, progress=progress)  # there may be no worker, which does it hourly
    ensure_roles()
    return {
        "metrics": ModelVersion.objects.get(state="active").metrics,
        "classifications": _sample_suggestions(files),
        "recommendations": _sample_recommendations(),
        "username": ADMIN,
        "password": _create_admin(),
    }


def _demo_files(*, now: datetime, seed: int, progress: Progress) -> DemoFiles:
    """Return the demo's files, generated once; an unfinished folder is generated again."""
    folder = Path(settings.DATA_DIR) / "demo"
    if folder.exists():
        return DemoFiles(folder)
    if Book.objects.exists():
        raise ClassifierError(
            f"{settings.DATA_DIR} holds a library already, and the demo must not be mixed into it. "
            "Set LIBRARY_DATA_DIR (and DATABASE_URL, if you use it) to an empty place."
        )
    unfinished = folder.with_name(".demo-unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    generate(folder=unfinished, seed=seed, now=now, progress=progress)
    unfinished.rename(folder)
    return DemoFiles(folder)


def _sample_suggestions(files: DemoFiles) -> list[dict[str, Any]]:
    with files.true_categories.open(encoding="utf-8", newline="") as file:
        truth = {row["id"]: row["category"] for row in csv.DictReader(file)}
    best = (
        Suggestion.objects.filter(rank=1).select_related("book", "category").order_by("book__control_number")
    )
    return [
        {
            "title": s.book.title,
            "suggestion": s.category.notation,
            "probability": round(s.probability, 3),
            "truth": truth.get(s.book.control_number, ""),
        }
        for s in _spread(list(best))
    ]


def _sample_recommendations() -> list[dict[str, Any]]:
    first = Recommendation.objects.filter(rank=1).select_related("book", "because").order_by("borrower_id")
    return [
        {"borrower": r.borrower.card_number, "title": r.book.title, "reason": r.reason}
        for r in _spread(list(without_personal_data(first)))
    ]


def _spread(rows: list[Any]) -> list[Any]:
    """Return `SAMPLES` rows spread over the list: the first ones are similar."""
    return rows[:: max(1, len(rows) // SAMPLES)][:SAMPLES]


def _create_admin() -> str | None:
    """Create the demo's administrator and return the password; None if the user exists."""
    users = get_user_model().objects
    if users.filter(username=ADMIN).exists():
        return None  # only a hash of the password is stored
    password = token_urlsafe(12)
    users.create_superuser(username=ADMIN, password=password)
    return password
