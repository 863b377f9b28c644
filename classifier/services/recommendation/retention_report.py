"""What forgetting costs: how well categories and titles are found, had the library remembered less."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings as django_settings
from django.template.loader import render_to_string

from classifier.errors import ClassifierError
from classifier.pipeline.config import Config
from classifier.pipeline.errors import PipelineError
from classifier.pipeline.features.modalities.text import TextModality
from classifier.pipeline.recommender.recommender import Recommender
from classifier.pipeline.records import Bool, Catalogue, Float64, Int64, LoanTable
from classifier.pipeline.training import train as pipeline
from classifier.selectors.records import all_books, catalogue, known_loans
from classifier.services.atomic_file import written_whole
from classifier.services.configuration import library_config
from classifier.services.feature_cache import feature_cache
from library.circulation.services.coborrowing import pairs_had
from library.console import Progress, no_progress

MONTHS: tuple[int | None, ...] = (None, 24, 12, 6, 3, 0)
"""None: everything is remembered."""
TITLES = 10
_MONTH = 365.25 / 12 * 86400
FIGURES = {"accuracy": "accuracy", "macro_f1": "macro-F1", "hit_rate": "hit rate at 10"}


def retention_costs(
    *,
    now: datetime,
    seed: int = 0,
    settings: Sequence[str] = (),
    output: Path | None = None,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Measure what each retention would cost this library; nothing is written to the database.

    Links are cut as the nightly run would have cut them, and pairs of titles kept where enough borrowers had
    them. Categories are judged on the books that training holds out, with the links as they would be `now`.
    Titles are judged on the last loan of each borrower, of a title new to the borrower: it is held out, and
    remembered is what would have been when it was made. Of whom nothing is remembered, nothing is found.

    Parameters
    ----------
    now : datetime
    seed : int
        Of the training.
    settings : sequence of str
        Of the training, ``part.name=value``.
    output : Path, optional
        An SVG file for the picture.
    progress : callable

    Returns
    -------
    dict
        ``settings``: for each of `MONTHS` the ``loans`` whose borrower is remembered, the ``pairs`` kept,
        ``accuracy``, ``macro_f1`` and ``hit_rate`` (the share of the held-out loans among `TITLES` titles
        recommended, which is recall too, as one is held out of each); ``books`` and ``borrowers`` judged by.

    Raises
    ------
    ClassifierError
        If there is too little to learn from, or `output` cannot be written.
    """
    library = catalogue(all_books())
    returned = _returned(library.loans)
    last = _last_loans(library.loans)
    rows = []
    try:
        config = library_config(settings)
        modality = TextModality.from_config(config)
        modality.cache = feature_cache()
        text = modality.fit_block(library, rng=np.random.default_rng(0)).values
        for done, months in enumerate(MONTHS):
            name = "everything remembered" if months is None else f"{months} months"
            progress(f"measuring: {name}", done, len(MONTHS))
            today = np.full(len(library.loans), now.timestamp())
            cut, pairs = _cut(library.loans, returned, today, months)
            trained = pipeline.train(
                replace(library, loans=cut), config=config, seed=seed, cache=feature_cache()
            ).figures
            rows.append(
                {
                    "months": months,
                    "loans": int(np.sum(cut.borrower < (cut.known or 0))),
                    "pairs": pairs,
                    "accuracy": trained["fused"]["accuracy"],
                    "macro_f1": trained["fused"]["macro_f1"],
                    "hit_rate": _hit_rate(library, returned, last, months, text, config),
                }
            )
        progress("measuring", len(MONTHS), len(MONTHS))
    except PipelineError as error:
        raise ClassifierError(error.message, **error.extra) from error
    result = {"settings": rows, "books": trained["held_out"], "borrowers": int(last.sum())}
    if output is not None:
        with written_whole(output) as file:
            file.write(_picture(rows))
    return result | {"output": str(output) if output else None}


def _returned(table: LoanTable) -> Float64:
    """Return when each loan ended, in seconds; of one that is out, and of made-up borrowers, never."""
    ends = known_loans().values_list("returned_at", flat=True)
    times = [at.timestamp() if at else np.inf for at in ends]
    returned = np.full(len(table), np.inf)
    if len(times) != int(np.sum(table.borrower < (table.known or 0))):
        raise ClassifierError("Loans were made or forgotten while they were read. Start again.")
    returned[: len(times)] = times
    return returned


def _last_loans(table: LoanTable) -> Bool:
    """Return which loan is held out of each borrower: the last, if its title was new and not the only one."""
    held = np.zeros(len(table), bool)
    known = np.flatnonzero(table.borrower < (table.known or 0))  # in order of borrower and time
    ends = known[np.flatnonzero(np.diff(table.borrower[known], append=-1))]
    start = 0
    for end in ends.tolist():
        had = table.book[start:end]
        held[end] = len(had) > 0 and table.book[end] not in had
        start = end + 1
    return held


def _cut(table: LoanTable, returned: Float64, today: Float64, months: int | None) -> tuple[LoanTable, int]:
    """Return the loans as they would be remembered, and how many pairs of titles would be kept.

    Parameters
    ----------
    table : LoanTable
    returned, today : float array (n_loans,)
        Seconds since 1970-01-01 UTC; `today` is when it is looked at.
    months : int or None
    """
    if months is None:
        return table, 0
    left = returned > today - months * _MONTH
    before, after = _distinct(table, np.ones(len(table), bool)), _distinct(table, left)
    asked = np.ones(len(table.book_ids), bool)
    found: list[tuple[Int64, Int64, Int64]] = []
    blocks = (pairs_had(borrower=borrower, title=title, asked=asked) for borrower, title in (before, after))
    for (first, second, had), (first_left, second_left, had_left) in zip(*blocks, strict=True):
        often = had >= django_settings.CO_BORROWING_MIN
        first, second, ended = first[often], second[often], had[often]
        pair, pair_left = first * len(asked) + second, first_left * len(asked) + second_left
        order = np.argsort(pair_left)
        at = np.searchsorted(pair_left, pair, sorter=order)
        still = at < len(order)
        still[still] = pair_left[order[at[still]]] == pair[still]
        ended[still] -= had_left[order[at[still]]]
        found.append((first[ended > 0], second[ended > 0], ended[ended > 0]))
    first, second, count = (np.concatenate(columns) for columns in zip(*found, strict=True))
    made_up = np.repeat(np.arange(int(count.sum())) + table.n_borrowers, 2).astype(np.int32)
    pairs = np.repeat(np.column_stack([first, second]), count, axis=0).ravel().astype(np.int32)
    cut = replace(
        table,
        book=np.concatenate([table.book[left], pairs]),
        borrower=np.concatenate([table.borrower[left], made_up]),
        borrowed_at=np.concatenate([table.borrowed_at[left], np.zeros(len(pairs), np.int64)]),
        times_borrowed=table.popularity,
    )
    return cut, len(count)


def _distinct(table: LoanTable, rows: Bool) -> tuple[Int64, Int64]:
    """Return who had what, each once."""
    width = max(1, len(table.book_ids))
    pair = np.unique(table.borrower[rows].astype(np.int64) * width + table.book[rows])
    return pair // width, pair % width


def _hit_rate(
    library: Catalogue, returned: Float64, last: Bool, months: int | None, text: Any, config: Config
) -> float:
    """Return how many of the held-out loans are among the titles recommended."""
    table = library.loans
    moment = np.full(table.n_borrowers, np.inf)
    moment[table.borrower[last]] = table.borrowed_at[last]
    kept = ~last
    seen = replace(
        table,
        book=table.book[kept],
        borrower=table.borrower[kept],
        borrowed_at=table.borrowed_at[kept],
        times_borrowed=None,
    )
    # Of who has no held-out loan, all is looked at when the last of all loans was made.
    newest = float(table.borrowed_at.max(initial=0))
    today = np.minimum(moment, newest)[seen.borrower]
    cut, _pairs = _cut(seen, returned[kept], today, months)
    ids = [book.id for book in library.books]
    recommender = Recommender(settings=config.recommend).fit(cut, book_ids=ids, content={"text": text})
    wanted = dict(zip(table.borrower[last].tolist(), table.book[last].tolist(), strict=True))
    hits = sum(
        item.borrower in wanted and table.book_ids[wanted[item.borrower]] == item.book
        for item in recommender.recommend(n=TITLES)
    )
    return hits / max(1, len(wanted))


def _picture(rows: list[dict[str, Any]]) -> str:
    """Return the figures as lines of an SVG drawing."""
    step = 100
    lines = [
        {
            "name": name,
            "class": key.replace("_", "-"),
            "points": [
                (step * i + 60, round(220 - 200 * row[key], 1), f"{row[key]:.2f}")
                for i, row in enumerate(rows)
            ],
        }
        for key, name in FIGURES.items()
    ]
    marks = [
        (step * i + 60, "all" if row["months"] is None else str(row["months"])) for i, row in enumerate(rows)
    ]
    return render_to_string("classifier/retention.svg", {"lines": lines, "marks": marks})
