"""Backtest of recommendations on this library's own loans."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from classifier.errors import ClassifierError, SettingError
from classifier.pipeline.errors import PipelineError
from classifier.pipeline.recommender.backtest import backtest
from classifier.selectors.records import all_books, catalogue
from classifier.services.configuration import library_config
from classifier.services.recommendation.links import content_features
from library.console import Progress, no_progress


def evaluate_recommender(
    *, share: float = 0.8, n: int = 10, settings: Sequence[str] = (), progress: Progress = no_progress
) -> dict[str, Any]:
    """Learn from the earlier loans of the library and test on the later ones; nothing is written.

    Themes come from the active version, trained with all loans. It encodes books without loans, so the later
    loans affect it only through what they taught it about words and covers.

    Parameters
    ----------
    share
        Of the loans, by time, to learn from: between 0 and 1 exclusive.
    n
        Titles per list, 1 or more.

    Returns
    -------
    dict
        The result of `backtest` with ``until`` as ISO date.

    Raises
    ------
    SettingError
        If a setting, the share or `n` is invalid.
    ClassifierError
        If there are too few loans.
    """
    if not 0 < share < 1:
        raise SettingError(f"The share is {share:g}; it must be above 0 and below 1.", share=str(share))
    if n < 1:
        raise SettingError(f"A list of {n} titles shows nothing; it must be 1 or more.", n=n)
    library = catalogue(all_books())
    try:
        config = library_config(settings)
        result = backtest(
            library.loans,
            book_ids=[book.id for book in library.books],
            content=content_features(library, config=config, progress=progress) if library.books else {},
            authors=[book.authors for book in library.books],
            titles=[book.title for book in library.books],
            settings=config.recommend,
            share=share,
            k=n,
            progress=progress,
        )
    except PipelineError as error:
        raise ClassifierError(error.message, **error.extra) from error
    return result | {"n": n, "until": datetime.fromtimestamp(result["until"], UTC).date().isoformat()}
