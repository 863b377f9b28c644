"""Stored recommendations for each borrower, updated when their input changes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

import numpy as np
from django.db import connection, transaction
from django.db.models import Count, Max

from classifier.errors import ClassifierError, SettingError
from classifier.models import Feedback, Recommendation
from classifier.pipeline.errors import PipelineError
from classifier.pipeline.recommender.recommender import RecommendedTitle, Recommender
from classifier.pipeline.records import Int64
from classifier.selectors.fallbacks import FallbackProvider
from classifier.selectors.records import (
    all_books,
    book_keys,
    catalogue_and_borrowers,
    feedback_rows,
    loan_counts,
)
from classifier.services.configuration import library_config
from classifier.services.recommendation.links import content_features, save_links
from classifier.services.runs.context import JobContext
from classifier.services.runs.phases import SAVING
from library.atomic_file import open_replacement
from library.catalogue.models import Book
from library.circulation.models import Loan
from library.circulation.selectors.retention import anonymises_at_return
from library.db import KEYS_PER_QUERY, batches
from library.people.models import AuditEntry, Borrower
from library.people.selectors import without_personal_data
from library.people.services.audit import system_user, write_entry
from library.tabular import CsvWriter

_COLUMNS = ["borrower", "rank", "book", "score", "reason"]
_FALLBACK_SOURCES = ("new", "popular", "latest")
"""Sources that depend on the public lists, not on the neighbours of a borrower's titles."""


def recommend(
    context: JobContext, *, n: int = 10, include_borrowed: bool = False, output: Path | None = None
) -> dict[str, Any]:
    """Learn which titles follow which, and update every borrower's stored list of `n` titles.

    A list is kept if the borrower's loans, feedback and the neighbours of these titles are unchanged and it
    has no fallback titles. Nothing is stored for borrowers whose loans are anonymised at return: their
    recommendations are computed on request.

    Parameters
    ----------
    include_borrowed
        Titles that a borrower has had may be recommended.
    output
        CSV file for the recommendations: borrower, rank, book, score, reason.

    Returns
    -------
    dict
        ``borrowers`` with recommendations, ``updated_lists``, ``recommendations`` stored, ``linked_titles``
        and ``output``.

    Raises
    ------
    SettingError
        If `n` is below 1.
    ClassifierError
        If the catalogue is empty or `output` cannot be written.
    """
    if n < 1:
        raise SettingError(f"{n} titles a borrower recommend nothing; it must be 1 or more.", n=n)
    now, progress = context.now, context.progress
    newest = Loan.objects.aggregate(pk=Max("pk"))["pk"] or 0
    loans_before = loan_counts(until=newest)
    # By primary key, as on request: the order decides ties.
    library, borrowers = catalogue_and_borrowers(all_books().order_by("pk"))
    if not library.books:
        raise ClassifierError("The catalogue is empty. Import books first: manage.py import_books FILE")
    config = library_config()
    try:
        recommender = Recommender(settings=config.recommend).fit(
            library.loans,
            book_ids=[book.id for book in library.books],
            content=content_features(library, config=config, progress=progress),
            authors=[book.authors for book in library.books],
            titles=[book.title for book in library.books],
            progress=progress,
        )
    except PipelineError as error:
        raise ClassifierError(error.message, **error.extra) from error
    keys = book_keys(recommender.book_ids)
    digests = save_links(recommender=recommender, keys=keys, now=now, progress=progress)
    index = _KeyIndex.of(recommender, borrowers=borrowers, keys=keys)
    input_digests = index.input_digests(digests, common=(config.to_dict()["recommend"], n, include_borrowed))
    unchanged = _unchanged(input_digests, n=n)
    titles = list(
        recommender.recommend(
            n=n,
            include_borrowed=include_borrowed,
            liked=index.feedback[Feedback.Verdict.LIKED],
            unwanted=index.feedback[Feedback.Verdict.NOT_THIS],
            fallback=FallbackProvider(index.book_keys),
            only={
                number for number, pk in enumerate(borrowers) if pk in input_digests and pk not in unchanged
            },
            progress=progress,
        )
    )
    progress(SAVING, 0, 1)
    with transaction.atomic():
        _lock_recommendations()
        loans_now = loan_counts(until=newest)
        anonymised = {pk for pk, count in loans_before.items() if loans_now.get(pk, 0) < count}
        updated = _replace(
            titles,
            index=index,
            input_digests=input_digests,
            unchanged=unchanged - anonymised,
            anonymised=anonymised,
            now=now,
        )
        if output is not None:
            _write(output, now)
        rows = Recommendation.objects.aggregate(
            borrowers=Count("borrower", distinct=True), recommendations=Count("pk")
        )
        result = {
            **rows,
            "updated_lists": updated,
            "linked_titles": len(digests),
            "output": str(output) if output else None,
        }
        progress(SAVING, 1, 1)
        context.finish(result)
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class _KeyIndex:
    """Primary keys of `borrowers` by number and of books by position (n_books,), -1 for a deleted book.

    `feedback`: positions of titles, by verdict and number of the borrower.
    """

    recommender: Recommender
    borrowers: list[int]
    book_keys: Int64
    feedback: Mapping[str, Mapping[int, Sequence[int]]]

    @classmethod
    def of(cls, recommender: Recommender, *, borrowers: list[int], keys: Mapping[str, int]) -> Self:
        position = {book: i for i, book in enumerate(recommender.book_ids)}
        number = {pk: i for i, pk in enumerate(borrowers)}
        feedback: dict[str, dict[int, list[int]]] = {verdict: {} for verdict in Feedback.Verdict}
        for borrower, title, verdict in feedback_rows():
            if borrower in number and title in position:
                feedback[verdict].setdefault(number[borrower], []).append(position[title])
        return cls(
            recommender=recommender,
            borrowers=borrowers,
            book_keys=np.array([keys.get(book, -1) for book in recommender.book_ids], np.int64),
            feedback=feedback,
        )

    def input_digests(self, digests: Mapping[int, int], *, common: Any) -> dict[int, int]:
        """Return a digest of the input of each list to store, by primary key of the borrower."""
        at_return = set(Borrower.objects.filter(anonymises_at_return()).values_list("pk", flat=True))
        title_digests = np.array([digests.get(pk, 0) for pk in self.book_keys.tolist()], np.int64)
        prefix = repr(common).encode()
        by_borrower = {}
        for number, borrowed, times in self.recommender.loans.histories():
            if self.borrowers[number] in at_return:
                continue
            digest = blake2b(prefix, digest_size=8)
            rated = [np.array(sorted(of.get(number, ())), np.int64) for of in self.feedback.values()]
            for titles in (borrowed, *rated):
                digest.update(self.book_keys[titles].tobytes() + title_digests[titles].tobytes() + b"|")
            digest.update(times.tobytes())
            by_borrower[self.borrowers[number]] = int.from_bytes(digest.digest(), "big", signed=True)
        return by_borrower


def _unchanged(input_digests: Mapping[int, int], *, n: int) -> set[int]:
    """Return the borrowers whose stored lists are complete, have the same input, and no fallback titles."""
    rows = Recommendation.objects.order_by().values("borrower", "input_digest")
    complete = rows.annotate(titles=Count("pk")).filter(titles=n).values_list("borrower", "input_digest")
    same = {borrower for borrower, digest in complete.iterator() if input_digests.get(borrower) == digest}
    with_fallbacks = Recommendation.objects.filter(sources__in=_FALLBACK_SOURCES)
    return same.difference(with_fallbacks.values_list("borrower", flat=True).distinct())


def _replace(
    titles: Iterable[RecommendedTitle],
    *,
    index: _KeyIndex,
    input_digests: Mapping[int, int],
    unchanged: set[int],
    anonymised: set[int],
    now: datetime,
) -> int:
    """Replace all lists but the unchanged ones; return the number of new lists.

    Excluded are borrowers who, since the computation began, have been deleted, excluded from statistics or
    had a loan anonymised, or whose loans are now anonymised at return; and titles deleted or refused since.
    """
    before = set(Recommendation.objects.order_by().values_list("borrower", flat=True).distinct())
    for keys in batches(sorted(before - unchanged), KEYS_PER_QUERY):
        Recommendation.objects.filter(borrower__in=keys).delete()
    people = Borrower.objects.filter(excluded_from_statistics=False).exclude(anonymises_at_return())
    borrowers = set(people.values_list("pk", flat=True).iterator()) - anonymised
    books = set(Book.objects.values_list("pk", flat=True).iterator())
    book_key = dict(zip(index.recommender.book_ids, index.book_keys.tolist(), strict=True))
    unwanted = {
        (borrower, book_key.get(title))
        for borrower, title, verdict in feedback_rows()
        if verdict == Feedback.Verdict.NOT_THIS
    }

    def rows() -> Iterator[Recommendation]:
        for item in titles:
            borrower = index.borrowers[item.borrower]
            book, because = book_key[item.book], book_key[item.because] if item.because else None
            if (
                borrower in borrowers
                and (borrower, book) not in unwanted
                and {book, because} - {None} <= books
            ):
                yield Recommendation(
                    borrower_id=borrower,
                    rank=item.rank,
                    book_id=book,
                    score=item.score,
                    sources=",".join(item.sources),
                    because_id=because,
                    input_digest=input_digests[borrower],
                    created_at=now,
                )

    updated: set[int] = set()
    for batch in batches(rows(), KEYS_PER_QUERY):
        Recommendation.objects.bulk_create(batch)
        updated.update(row.borrower_id for row in batch)
    return len(updated)


def _lock_recommendations() -> None:
    """Run before or after anonymisations and refusals, which delete rows; SQLite has one writer."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            table = connection.ops.quote_name(Recommendation._meta.db_table)
            cursor.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")


def _write(output: Path, now: datetime) -> None:
    lists = without_personal_data(Recommendation.objects.select_related("book", "because"))
    with open_replacement(output) as file:
        writer = CsvWriter(file)
        writer.writerow(_COLUMNS)
        borrowers = set()
        for row in lists.order_by("borrower", "rank").iterator():
            card, book = row.borrower.card_number, row.book.control_number
            writer.writerow([card, row.rank, book, f"{row.score:.6f}", row.reason])
            borrowers.add(row.borrower_id)
        # Before the file gets its name, since it reveals what people read.
        write_entry(
            user=system_user(),
            action=AuditEntry.Action.EXPORTED,
            path="manage.py recommend --output",
            now=now,
            model=Borrower,
            listed=sorted(borrowers),
        )
