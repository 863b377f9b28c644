"""What recommendations would have been worth to this library's borrowers."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from classifier.errors import ClassifierError, SettingError
from classifier.pipeline.errors import PipelineError
from classifier.pipeline.recommender.backtest import backtest
from classifier.selectors.records import all_books, catalogue
from classifier.services.configuration import library_config
from classifier.services.recommendation.links import what_is_in
from library.console import Progress, no_progress


def evaluate_recommender(
    *, share: float = 0.8, n: int = 10, settings: Sequence[str] = (), progress: Progress = no_progress
) -> dict[str, Any]:
    """Learn from the first loans of the library and look at the others; nothing is written.

    Themes come from the active version, which learned from all loans; it is asked about the books without
    any, so what it knows of the later ones is no more than what they taught it of words and covers.

    Parameters
    ----------
    share : float
        Of the loans, by time, that is learned from: above 0 and below 1.
    n : int
        Titles a list, 1 or more.
    settings : sequence of str
        ``recommend.name=value``.
    progress : callable

    Returns
    -------
    dict
        What `classifier.pipeline.recommender.backtest.backtest` gives, ``until`` as a day.

    Raises
    ------
    SettingError
        If a setting, the share or the number cannot be.
    ClassifierError
        If there are too few loans to look back at.
    """
    if not 0 < share < 1:
        raise SettingError(f"The share is {share:g}; it must be above 0 and below 1.", share=str(share))
    if n < 1:
        raise SettingError(f"A list of {n} titles shows nothing; it must be 1 or more.", n=n)
    library = catalogue(all_books())
    try:
        config = library_config(settings)
        found = backtest(
            library.loans,
            book_ids=[book.id for book in library.books],
            content=what_is_in(library, config=config, progress=progress) if library.books else {},
            authors=[book.authors for book in library.books],
            titles=[book.title for book in library.books],
            settings=config.recommend,
            share=share,
            k=n,
            progress=progress,
        )
    except PipelineError as error:
        raise ClassifierError(error.message, **error.extra) from error
    return found | {"n": n, "until": datetime.fromtimestamp(found["until"], UTC).date().isoformat()}
