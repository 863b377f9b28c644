"""Cost of retention periods: quality of predictions, had the library anonymised loans earlier."""

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
from classifier.services.configuration import library_config
from classifier.services.feature_cache import feature_cache
from library.atomic_file import open_replacement
from library.circulation.services.coborrowing import pair_counts
from library.console import Progress, no_progress

MONTHS: tuple[int | None, ...] = (None, 24, 12, 6, 3, 0)
"""None: nothing is anonymised."""
TITLES = 10
_MONTH = 365.25 / 12 * 86400
METRICS = {"accuracy": "accuracy", "macro_f1": "macro-F1", "hit_rate": "hit rate at 10"}


def measure_retention(
    *,
    now: datetime,
    seed: int = 0,
    settings: Sequence[str] = (),
    output: Path | None = None,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Measure what each retention period would cost this library; nothing is written to the database.

    Loans are anonymised as the nightly run would have done, and pairs of titles kept that enough borrowers
    had. Categories are measured on the held-out books, with the loans as they would be `now`. Recommendations
    are measured on the last loan of each borrower, if its title was new to the borrower: it is held out, and
    the loans are those that would have been stored at its time. For a borrower without any, nothing is
    recommended.

    Parameters
    ----------
    seed, settings
        Of the training.
    output
        SVG file for the chart.

    Returns
    -------
    dict
        ``settings``: for each of `MONTHS` the ``loans`` with a borrower, the ``pairs`` kept, ``accuracy``,
        ``macro_f1`` and ``hit_rate`` (share of the held-out loans among `TITLES` recommended titles; also the
        recall, since one loan per borrower is held out); ``books`` and ``borrowers`` in the test.

    Raises
    ------
    ClassifierError
        If there is too little data, or `output` cannot be written.
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
            name = "no anonymisation" if months is None else f"{months} months"
            progress(f"measuring: {name}", done, len(MONTHS))
            today = np.full(len(library.loans), now.timestamp())
            cut, pairs = _anonymised(library.loans, returned, today, months)
            trained = pipeline.train(
                replace(library, loans=cut), config=config, seed=seed, cache=feature_cache()
            ).metrics
            rows.append(
                {
                    "months": months,
                    "loans": int(np.sum(cut.borrower < (cut.first_synthetic or 0))),
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
        with open_replacement(output) as file:
            file.write(_chart(rows))
    return result | {"output": str(output) if output else None}


def _returned(table: LoanTable) -> Float64:
    """Return when each loan ended, in seconds; infinity for open loans and synthetic borrowers."""
    ends = known_loans().values_list("returned_at", flat=True)
    times = [at.timestamp() if at else np.inf for at in ends]
    returned = np.full(len(table), np.inf)
    if len(times) != int(np.sum(table.borrower < (table.first_synthetic or 0))):
        raise ClassifierError("Loans were added or anonymised while they were read. Start again.")
    returned[: len(times)] = times
    return returned


def _last_loans(table: LoanTable) -> Bool:
    """Return the held-out loan of each borrower: the last, if its title was new and not the only one."""
    held = np.zeros(len(table), bool)
    real = np.flatnonzero(table.borrower < (table.first_synthetic or 0))  # in order of borrower and time
    ends = real[np.flatnonzero(np.diff(table.borrower[real], append=-1))]
    start = 0
    for end in ends.tolist():
        earlier = table.book[start:end]
        held[end] = len(earlier) > 0 and table.book[end] not in earlier
        start = end + 1
    return held


def _anonymised(
    table: LoanTable, returned: Float64, today: Float64, months: int | None
) -> tuple[LoanTable, int]:
    """Return the loans as stored at the seconds `today` (n_loans,), and the number of pairs of titles."""
    if months is None:
        return table, 0
    left = returned > today - months * _MONTH
    before, after = _distinct(table, np.ones(len(table), bool)), _distinct(table, left)
    wanted = np.ones(len(table.book_ids), bool)
    parts: list[tuple[Int64, Int64, Int64]] = []
    blocks = (
        pair_counts(borrower=borrower, title=title, wanted=wanted) for borrower, title in (before, after)
    )
    for (first, second, had), (first_left, second_left, had_left) in zip(*blocks, strict=True):
        often = had >= django_settings.CO_BORROWING_MIN
        first, second, ended = first[often], second[often], had[often]
        pair, pair_left = first * len(wanted) + second, first_left * len(wanted) + second_left
        order = np.argsort(pair_left)
        at = np.searchsorted(pair_left, pair, sorter=order)
        still = at < len(order)
        still[still] = pair_left[order[at[still]]] == pair[still]
        ended[still] -= had_left[order[at[still]]]
        parts.append((first[ended > 0], second[ended > 0], ended[ended > 0]))
    first, second, count = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    synthetic = np.repeat(np.arange(int(count.sum())) + table.n_borrowers, 2).astype(np.int32)
    pairs = np.repeat(np.column_stack([first, second]), count, axis=0).ravel().astype(np.int32)
    cut = replace(
        table,
        book=np.concatenate([table.book[left], pairs]),
        borrower=np.concatenate([table.borrower[left], synthetic]),
        borrowed_at=np.concatenate([table.borrowed_at[left], np.zeros(len(pairs), np.int64)]),
        times_borrowed=table.popularity,
    )
    return cut, len(count)


def _distinct(table: LoanTable, rows: Bool) -> tuple[Int64, Int64]:
    width = max(1, len(table.book_ids))
    pair = np.unique(table.borrower[rows].astype(np.int64) * width + table.book[rows])
    return pair // width, pair % width


def _hit_rate(
    library: Catalogue, returned: Float64, last: Bool, months: int | None, text: Any, config: Config
) -> float:
    table = library.loans
    held_out_at = np.full(table.n_borrowers, np.inf)
    held_out_at[table.borrower[last]] = table.borrowed_at[last]
    kept = ~last
    seen = replace(
        table,
        book=table.book[kept],
        borrower=table.borrower[kept],
        borrowed_at=table.borrowed_at[kept],
        times_borrowed=None,
    )
    # Loans of a borrower without a held-out one are read at the time of the last loan of all.
    newest = float(table.borrowed_at.max(initial=0))
    today = np.minimum(held_out_at, newest)[seen.borrower]
    cut, _pairs = _anonymised(seen, returned[kept], today, months)
    ids = [book.id for book in library.books]
    recommender = Recommender(settings=config.recommend).fit(cut, book_ids=ids, content={"text": text})
    wanted = dict(zip(table.borrower[last].tolist(), table.book[last].tolist(), strict=True))
    hits = sum(
        item.borrower in wanted and table.book_ids[wanted[item.borrower]] == item.book
        for item in recommender.recommend(n=TITLES)
    )
    return hits / max(1, len(wanted))


def _chart(rows: list[dict[str, Any]]) -> str:
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
        for key, name in METRICS.items()
    ]
    marks = [
        (step * i + 60, "all" if row["months"] is None else str(row["months"])) for i, row in enumerate(rows)
    ]
    return render_to_string("classifier/retention.svg", {"lines": lines, "marks": marks})
