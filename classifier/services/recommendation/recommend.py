"""Titles to recommend to each borrower, kept until what they rest on changes."""

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
from classifier.pipeline.recommender.recommender import Recommended, Recommender
from classifier.pipeline.records import Int64
from classifier.selectors.fallbacks import Filling
from classifier.selectors.records import (
    all_books,
    book_keys,
    catalogue_and_borrowers,
    loans_a_borrower,
    opinions,
)
from classifier.services.atomic_file import written_whole
from classifier.services.configuration import library_config
from classifier.services.recommendation.links import save_links, what_is_in
from classifier.services.runs.heartbeat import Finish, no_finish
from classifier.services.runs.pace import SAVING
from library.catalogue.models import Book
from library.circulation.models import Loan
from library.circulation.selectors.retention import forgets_at_return
from library.console import Progress, no_progress
from library.db import KEYS_A_QUERY, batches
from library.people.models import AuditEntry, Borrower
from library.people.selectors import without_personal_data
from library.people.services.audit import system_user, write_entry
from library.tabular import CsvWriter

_COLUMNS = ["borrower", "rank", "book", "score", "reason"]
_FILLED_UP = ("new", "popular", "latest")
"""Sources that hang on the lists for nobody in particular, not on what is linked with a borrower's titles."""
Opinions = Mapping[str, Mapping[int, Sequence[int]]]
"""By verdict and borrower, titles."""


def recommend(
    *,
    now: datetime,
    n: int = 10,
    include_borrowed: bool = False,
    output: Path | None = None,
    progress: Progress = no_progress,
    finish: Finish = no_finish,
) -> dict[str, Any]:
    """Learn which titles follow which, and bring every borrower's stored list up to date.

    A list whose borrower's loans, opinions and linked titles are as they were is left alone, unless it was
    filled up with what is new or popular. Nothing is stored for who is forgotten at return: their titles are
    worked out when they are asked for.

    Parameters
    ----------
    now : datetime
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
        ``borrowers`` with recommendations, how many of these lists were ``made_anew``, ``recommendations``
        kept and ``linked_titles``.

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
    # By their keys: of titles as good as each other the first comes first, and keys are what is on request.
    wanted, borrowers = catalogue_and_borrowers(all_books().order_by("pk"))
    if not wanted.books:
        raise ClassifierError("The catalogue is empty. Import books first: manage.py import_books FILE")
    config = library_config()
    try:
        recommender = Recommender(settings=config.recommend).fit(
            wanted.loans,
            book_ids=[book.id for book in wanted.books],
            content=what_is_in(wanted, config=config, progress=progress),
            authors=[book.authors for book in wanted.books],
            titles=[book.title for book in wanted.books],
            progress=progress,
        )
    except PipelineError as error:
        raise ClassifierError(error.message, **error.extra) from error
    keys = book_keys(recommender.book_ids)
    digests = save_links(recommender=recommender, keys=keys, now=now, progress=progress)
    readers = _Readers.of(recommender, borrowers=borrowers, keys=keys)
    bases = readers.bases(digests, about=(config.to_dict()["recommend"], n, include_borrowed))
    kept = _kept(bases, n=n)
    found = list(
        recommender.recommend(
            n=n,
            include_borrowed=include_borrowed,
            liked=readers.opinions[Feedback.Verdict.LIKED],
            unwanted=readers.opinions[Feedback.Verdict.NOT_THIS],
            filling=Filling(readers.pks),
            only={number for number, pk in enumerate(borrowers) if pk in bases and pk not in kept},
            progress=progress,
        )
    )
    progress(SAVING, 0, 1)
    with transaction.atomic():
        _wait_for_who_forgets()
        loans_now = loans_a_borrower(until=newest)
        fewer = {pk for pk, number in loans_before.items() if loans_now.get(pk, 0) < number}
        made = _replace(found, readers=readers, bases=bases, kept=kept - fewer, forgotten=fewer, now=now)
        if output is not None:
            _write(output, now)
        rows = Recommendation.objects.aggregate(
            borrowers=Count("borrower", distinct=True), recommendations=Count("pk")
        )
        result = {
            **rows,
            "made_anew": made,
            "linked_titles": len(digests),
            "output": str(output) if output else None,
        }
        progress(SAVING, 1, 1)
        finish(result)
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class _Readers:
    """The borrowers behind the pipeline's numbers, and the titles behind its places.

    Attributes
    ----------
    recommender : Recommender
    borrowers : list of int
        Primary keys.
    pks : int array (n_books,)
        Primary keys; -1 of one that is gone.
    opinions : mapping
        By verdict and the borrower's number, places of titles.
    """

    recommender: Recommender
    borrowers: list[int]
    pks: Int64
    opinions: Opinions

    @classmethod
    def of(cls, recommender: Recommender, *, borrowers: list[int], keys: Mapping[str, int]) -> Self:
        place = {book: i for i, book in enumerate(recommender.book_ids)}
        number = {pk: i for i, pk in enumerate(borrowers)}
        said: dict[str, dict[int, list[int]]] = {verdict: {} for verdict in Feedback.Verdict}
        for borrower, title, verdict in opinions():
            if borrower in number and title in place:
                said[verdict].setdefault(number[borrower], []).append(place[title])
        pks = np.array([keys.get(book, -1) for book in recommender.book_ids], np.int64)
        return cls(recommender=recommender, borrowers=borrowers, pks=pks, opinions=said)

    def bases(self, digests: Mapping[int, int], *, about: Any) -> dict[int, int]:
        """Return what each stored list hangs on, by the borrower's primary key.

        Parameters
        ----------
        digests : mapping of int to int
            Of the links of titles, by their primary keys.
        about : object
            What is the same for all lists.
        """
        at_return = set(Borrower.objects.filter(forgets_at_return()).values_list("pk", flat=True))
        of_title = np.array([digests.get(pk, 0) for pk in self.pks.tolist()], np.int64)
        common = repr(about).encode()
        found = {}
        for number, had, times in self.recommender.loans.histories():
            if self.borrowers[number] in at_return:
                continue
            digest = blake2b(common, digest_size=8)
            said = [np.array(sorted(of.get(number, ())), np.int64) for of in self.opinions.values()]
            for titles in (had, *said):
                digest.update(self.pks[titles].tobytes() + of_title[titles].tobytes() + b"|")
            digest.update(times.tobytes())
            found[self.borrowers[number]] = int.from_bytes(digest.digest(), "big", signed=True)
        return found


def _kept(bases: Mapping[int, int], *, n: int) -> set[int]:
    """Return the borrowers whose stored lists stand: whole, made from the same, and not filled up."""
    rows = Recommendation.objects.order_by().values("borrower", "basis")
    whole = rows.annotate(titles=Count("pk")).filter(titles=n).values_list("borrower", "basis")
    filled_up = Recommendation.objects.filter(sources__in=_FILLED_UP).values_list("borrower", flat=True)
    stand = {borrower for borrower, basis in whole.iterator() if bases.get(borrower) == basis}
    return stand.difference(filled_up.distinct())


def _replace(
    found: Iterable[Recommended],
    *,
    readers: _Readers,
    bases: Mapping[int, int],
    kept: set[int],
    forgotten: set[int],
    now: datetime,
) -> int:
    """Put new lists in the place of all that are not to be kept, and return how many.

    Left out is whoever had a loan forgotten since, is gone, or is to be forgotten at return or left out of
    statistics since, and what was deleted or refused since: some of that happens while we compute.
    """
    before = set(Recommendation.objects.order_by().values_list("borrower", flat=True).distinct())
    for some in batches(sorted(before - kept), KEYS_A_QUERY):
        Recommendation.objects.filter(borrower__in=some).delete()
    people = Borrower.objects.filter(left_out=False).exclude(forgets_at_return())
    there = set(people.values_list("pk", flat=True).iterator()) - forgotten
    books = set(Book.objects.values_list("pk", flat=True).iterator())
    keys = dict(zip(readers.recommender.book_ids, readers.pks.tolist(), strict=True))
    unwanted = {
        (borrower, keys.get(title))
        for borrower, title, verdict in opinions()
        if verdict == Feedback.Verdict.NOT_THIS
    }

    def rows() -> Iterator[Recommendation]:
        for item in found:
            borrower = readers.borrowers[item.borrower]
            book, because = keys[item.book], keys[item.because] if item.because else None
            if borrower in there and (borrower, book) not in unwanted and {book, because} - {None} <= books:
                yield Recommendation(
                    borrower_id=borrower,
                    rank=item.rank,
                    book_id=book,
                    score=item.score,
                    sources=",".join(item.sources),
                    because_id=because,
                    basis=bases[borrower],
                    created_at=now,
                )

    made: set[int] = set()
    for some_rows in batches(rows(), KEYS_A_QUERY):
        Recommendation.objects.bulk_create(some_rows)
        made.update(row.borrower_id for row in some_rows)
    return len(made)


def _wait_for_who_forgets() -> None:
    """Let those who forget, or refuse a title, come wholly before us or wholly after: they delete what is
    recommended.

    SQLite has one writer at a time anyway.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            table = connection.ops.quote_name(Recommendation._meta.db_table)
            cursor.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")


def _write(output: Path, now: datetime) -> None:
    """Write the stored lists to a file."""
    lists = without_personal_data(Recommendation.objects.select_related("book", "because"))
    with written_whole(output) as file:
        writer = CsvWriter(file)
        writer.writerow(_COLUMNS)
        listed = set()
        for row in lists.order_by("borrower", "rank").iterator():
            card, book = row.borrower.card_number, row.book.control_number
            writer.writerow([card, row.rank, book, f"{row.score:.6f}", row.reason])
            listed.add(row.borrower_id)
        # Before the file takes its name: it tells what people read.
        write_entry(
            user=system_user(),
            action=AuditEntry.Action.EXPORTED,
            path="manage.py recommend --output",
            now=now,
            model=Borrower,
            listed=sorted(listed),
        )
