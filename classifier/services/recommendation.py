"""Titles to recommend to each borrower, and titles like each book."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from django.db import connection, models, transaction
from django.db.models import Max

from classifier.errors import ClassifierError, SettingError
from classifier.models import Recommendation, SimilarBook
from classifier.pipeline.errors import PipelineError
from classifier.pipeline.modalities.text import TextModality
from classifier.pipeline.recommend import Recommended, Recommender
from classifier.selectors import all_books, catalogue_and_borrowers, loans_a_borrower, unwanted_titles
from classifier.services.configuration import library_config
from classifier.services.features import feature_cache
from classifier.services.listings import refresh_listings
from classifier.services.outputs import written_whole
from classifier.services.pace import SAVING
from classifier.services.reporting import Finish, no_finish
from library.catalogue.models import Book
from library.circulation.models import Loan
from library.console import Progress, no_progress
from library.people.models import AuditEntry, Borrower
from library.people.services.audit import system_user, write_entry
from library.tabular import CsvWriter

SIMILAR = 10
_COLUMNS = ["borrower", "rank", "book", "score", "reason"]
_BATCH = 2000  # rows an INSERT


def recommend(
    *,
    now: datetime,
    n: int = 10,
    include_borrowed: bool = False,
    output: Path | None = None,
    progress: Progress = no_progress,
    finish: Finish = no_finish,
) -> dict[str, Any]:
    """Replace every borrower's recommendations and every book's similar titles.

    Parameters
    ----------
    now : datetime
        Loans fade from here backwards.
    n : int
        Titles a borrower.
    include_borrowed : bool
        Whether titles a borrower has had may come again.
    output : Path, optional
        A CSV file for the recommendations: borrower, rank, book, score, reason.
    progress, finish : callable

    Returns
    -------
    dict
        ``borrowers`` with recommendations, ``recommendations`` and ``similar_titles`` kept.

    Raises
    ------
    SettingError
        If `n` is below 1.
    ClassifierError
        If the catalogue is empty or `output` cannot be written.
    """
    if n < 1:
        raise SettingError(f"{n} titles a borrower recommend nothing; it must be 1 or more.", n=n)
    newest = Loan.objects.aggregate(pk=Max("pk"))["pk"] or 0
    loans_before = loans_a_borrower(until=newest)
    wanted, borrowers = catalogue_and_borrowers(all_books())
    if not wanted.books:
        raise ClassifierError("The catalogue is empty. Import books first: manage.py import_books FILE")
    config = library_config()
    ids = [book.id for book in wanted.books]
    progress("reading books", 0, 1)
    try:
        modality = TextModality.from_config(config)
        modality.cache = feature_cache()
        text = modality.fit_block(wanted, rng=np.random.default_rng(0)).values
        progress("reading books", 1, 1)
        recommender = Recommender(settings=config.recommend)
        authors = [book.authors for book in wanted.books]
        recommender.fit(wanted.loans, book_ids=ids, text=text, authors=authors, progress=progress)
    except PipelineError as error:
        raise ClassifierError(error.message, **error.extra) from error
    found = list(
        recommender.recommend(
            n=n,
            now=now.timestamp(),
            include_borrowed=include_borrowed,
            excluded=_positions(unwanted_titles(), borrowers, ids),
            progress=progress,
        )
    )
    progress(SAVING, 0, 1)
    with transaction.atomic():
        _wait_for_who_forgets()
        loans_now = loans_a_borrower(until=newest)
        fewer = {pk for pk, number in loans_before.items() if loans_now.get(pk, 0) < number}
        names = _Names(borrowers, forgotten=fewer, unwanted=unwanted_titles())
        found = [item for item in found if names.know(item)]
        kept = _replace(Recommendation, (names.recommendation(item, now) for item in found))
        pairs = (row for row in recommender.similar(n=SIMILAR) if {row[0], row[2]} <= names.books.keys())
        similar = _replace(SimilarBook, (names.similar(*row) for row in pairs))
        refresh_listings(now=now, progress=progress)
        if output is not None:
            _write(output, found, names, now)
        result = {
            "borrowers": len({item.borrower for item in found}),
            "recommendations": kept,
            "similar_titles": similar,
            "output": str(output) if output else None,
        }
        progress(SAVING, 1, 1)
        finish(result)
    return result


class _Names:
    """From the pipeline's numbers and ids back to rows, and to words.

    Parameters
    ----------
    borrowers : list of int
        Primary keys, as `catalogue_and_borrowers` returned them.
    forgotten : set of int
        Those of whom a loan was forgotten since, or who are left out of statistics since: the titles may be
        in what we computed.
    unwanted : mapping of int to set of str
        By primary key, the titles that a borrower does not want, some of them said so since.
    """

    def __init__(
        self, borrowers: list[int], *, forgotten: set[int], unwanted: Mapping[int, set[str]]
    ) -> None:
        self.people = borrowers
        self.unwanted = unwanted
        cards = Borrower.objects.values_list("id", "card_number")
        self.cards = {pk: card for pk, card in cards if pk not in forgotten}
        books = Book.objects.values_list("control_number", "id", "title")
        self.books = {number: (key, title) for number, key, title in books.iterator()}

    def know(self, item: Recommended) -> bool:
        """Say whether the borrower and the titles are still there, and wanted: some go while we compute."""
        titles = {item.book, item.because} - {""}
        borrower = self.people[item.borrower]
        wanted = item.book not in self.unwanted.get(borrower, ())
        return borrower in self.cards and titles <= self.books.keys() and wanted

    def recommendation(self, item: Recommended, now: datetime) -> Recommendation:
        return Recommendation(
            borrower_id=self.people[item.borrower],
            rank=item.rank,
            book_id=self.books[item.book][0],
            score=item.score,
            reason=self.reason(item),
            created_at=now,
        )

    def similar(self, book: str, rank: int, other: str, score: float) -> SimilarBook:
        return SimilarBook(book_id=self.books[book][0], rank=rank, other_id=self.books[other][0], score=score)

    def reason(self, item: Recommended) -> str:
        if item.source == "popular":
            return "Much borrowed in this library"
        if item.source == "again":
            return "Borrowed before"
        title = self.books[item.because][1]
        title = title if len(title) <= 300 else f"{title[:299]}…"
        return (
            f"Borrowed by readers of “{title}”" if item.source == "loans" else f"Like “{title}”, by its text"
        )


def _positions(
    unwanted: Mapping[int, set[str]], borrowers: list[int], ids: list[str]
) -> dict[int, list[int]]:
    """Return the titles that borrowers do not want in the pipeline's numbers."""
    index = {number: position for position, number in enumerate(ids)}
    numbers = {pk: number for number, pk in enumerate(borrowers) if pk in unwanted}
    return {
        number: sorted(index[title] for title in unwanted[pk] if title in index)
        for pk, number in numbers.items()
    }


def _wait_for_who_forgets() -> None:
    """Let those who forget, or refuse a title, come wholly before us or wholly after: they delete what is
    recommended.

    SQLite has one writer at a time anyway.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            table = connection.ops.quote_name(Recommendation._meta.db_table)
            cursor.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")


def _replace(model: type[models.Model], rows: Iterator[Any]) -> int:
    """Delete all rows of a model, insert the new ones in batches, and return how many."""
    model._default_manager.all().delete()
    kept = 0
    while batch := list(islice(rows, _BATCH)):
        model._default_manager.bulk_create(batch)
        kept += len(batch)
    return kept


def _write(output: Path, found: list[Recommended], names: _Names, now: datetime) -> None:
    with written_whole(output) as file:
        writer = CsvWriter(file)
        writer.writerow(_COLUMNS)
        for item in found:
            card = names.cards[names.people[item.borrower]]
            writer.writerow([card, item.rank, item.book, f"{item.score:.6f}", names.reason(item)])
        # Before the file takes its name: it tells what people read.
        write_entry(
            user=system_user(),
            action=AuditEntry.Action.EXPORTED,
            path="manage.py recommend --output",
            now=now,
            model=Borrower,
            listed=sorted({names.people[item.borrower] for item in found}),
        )
