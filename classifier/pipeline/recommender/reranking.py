"""The best titles for one borrower, out of what the titles they had bring.

All of numpy alone, so that a web process can do it: see `classifier.selectors.recommendations`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Self

import numpy as np

from classifier.pipeline.config import SOURCES, RecommendConfig, Source
from classifier.pipeline.records import Bool, Float32, Float64, Int64

_YEAR = 365.25 * 86400
_ALSO = 1 / 3
"""Of a contribution, what a source must have brought to be named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """One title, and why.

    Attributes
    ----------
    title : int
    score : float
        0 for what fills a list up.
    sources : tuple of {"loans", "text", "cover", "theme", "again", "new", "popular", "latest"}
        What contributed most to the largest contribution, and what else brought a third of it, in this
        order. Alone: "again", that the title was had before, and of what fills a list up "new" (in a
        category that the borrower reads), "popular" and "latest" (new anywhere).
    because : int
        The title that contributed most, itself for "again"; -1 for what fills a list up.
    """

    title: int
    score: float
    sources: tuple[Source, ...]
    because: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What is known of one borrower's taste.

    Attributes
    ----------
    titles : int array (n_titles,)
        Those borrowed, and those an opinion was given of.
    weight : float array (n_titles,)
        What each counts; below 0 for a title that is not wanted: what is like it loses.
    borrowed : bool array (n_titles,)
    """

    titles: Int64
    weight: Float64
    borrowed: Bool

    @classmethod
    def of(
        cls,
        *,
        borrowed: Int64,
        borrowed_at: Int64 | Float64,
        liked: Iterable[int] = (),
        unwanted: Iterable[int] = (),
        settings: RecommendConfig,
    ) -> Self:
        """Weigh the titles of one borrower: a loan half after a half-life, beside the newest of them.

        Parameters
        ----------
        borrowed : int array (n_borrowed,)
            Each title once.
        borrowed_at : array (n_borrowed,)
            When last, in seconds since 1970-01-01 UTC.
        liked, unwanted : iterable of int
            What was said of titles, borrowed or not: liked counts as much as the newest loan.
        settings : RecommendConfig
        """
        never, more = np.array(sorted(unwanted), np.int64), np.array(sorted(liked), np.int64)
        age = borrowed_at.max(initial=0) - borrowed_at
        weight = np.where(np.isin(borrowed, more), 1, np.exp2(-age / (settings.half_life_years * _YEAR)))
        kept, more = ~np.isin(borrowed, never), more[~np.isin(more, borrowed)]
        numbers = (int(kept.sum()), len(more), len(never))
        return cls(
            titles=np.concatenate([borrowed[kept], more, never]),
            weight=np.concatenate(
                [weight[kept], np.ones(len(more)), np.full(len(never), -settings.unwanted_weight)]
            ),
            borrowed=np.repeat([True, False, False], numbers),
        )

    def may_not_come(self, *, again: bool) -> Int64:
        """Return the titles that no list has: those not wanted, and those borrowed, unless they may come."""
        return self.titles[(self.weight < 0) | (self.borrowed & (not again))]


def best_titles(
    history: History,
    *,
    links: tuple[Int64, Int64, Float32],
    filling: Iterable[Pick],
    n: int,
    page: int | None = None,
    again: bool = False,
    groups: Callable[[int], Iterable[str]],
    settings: RecommendConfig,
    kept: Callable[[Iterable[Pick]], Iterable[Pick]] = iter,
) -> list[Pick]:
    """Return the `n` best titles for a borrower, filled up where the history leads to fewer.

    Parameters
    ----------
    history : History
    links : arrays (n_links,), (n_links,), (n_links, n_sources)
        Whose each link is (its place in the history), where it leads to, and what each source adds.
    filling : iterable of Pick
        Titles for whoever has no better ones, the best first.
    n : int
    page : int, optional
        Titles shown together; left out, all.
    again : bool
        Whether titles borrowed may come again.
    groups : callable
        Returns the groups that a title is of: no more than a share of a page comes from one.
    settings : RecommendConfig
    kept : callable
        Passes on the titles that may be in this list.
    """
    led_to = shortlist(history, links=links, again_weight=settings.again_weight if again else 0.0)
    never = set(history.may_not_come(again=again).tolist())
    rest = (pick for pick in filling if pick.title not in never)
    return diverse(kept(chain(led_to, rest)), n=n, page=page or n, share=settings.author_share, groups=groups)


def shortlist(
    history: History, *, links: tuple[Int64, Int64, Float32], again_weight: float = 0.0
) -> Iterator[Pick]:
    """Yield the titles that a history leads to, best first; of equal ones the one with the smaller number.

    Parameters
    ----------
    history, links
        As `best_titles` takes them.
    again_weight : float
        Of a loan for the title itself, where what was had may come again; 0 where it may not.
    """
    owner, other, parts = links
    titles, weight = history.titles, history.weight
    brought = np.hstack([parts * weight[owner, None], np.zeros((len(owner), 1))])  # a column for "again"
    if again_weight:
        had = np.flatnonzero(history.borrowed)
        itself = np.zeros((len(had), brought.shape[1]))
        itself[:, -1] = again_weight * weight[had]
        owner, other = np.append(owner, had), np.append(other, titles[had])
        brought = np.vstack([brought, itself])
    allowed = ~np.isin(other, history.may_not_come(again=again_weight > 0))
    owner, other, brought = owner[allowed], other[allowed], brought[allowed]
    sums = brought.sum(axis=1)
    found, place = np.unique(other, return_inverse=True)
    scores = np.bincount(place, sums, minlength=len(found))
    by_size = np.lexsort((owner, -sums, place))
    most = by_size[np.searchsorted(place[by_size], np.arange(len(found)))]  # of each title
    for k in np.lexsort((found, -scores)).tolist():
        if scores[k] <= 0:
            return
        yield Pick(
            title=int(found[k]),
            score=float(scores[k]),
            sources=named(brought[most[k]]),
            because=int(titles[owner[most[k]]]),
        )


def named(parts: Float64) -> tuple[Source, ...]:
    """Return the sources that a contribution came from, most first: the largest, and who brought a third.

    Parameters
    ----------
    parts : float array (n_sources + 1,)
        In the order of `SOURCES`, then "again".
    """
    sources: tuple[Source, ...] = (*SOURCES, "again")
    order = np.argsort(-parts, kind="stable").tolist()
    return tuple(sources[i] for place, i in enumerate(order) if not place or parts[i] >= _ALSO * parts.sum())


def diverse(
    picks: Iterable[Pick], *, n: int, page: int, share: float, groups: Callable[[int], Iterable[str]]
) -> list[Pick]:
    """Return the first `n`, page by page, with no more of one group (an author, a series) than a share of it.

    What is too much for one page comes on the next.

    Parameters
    ----------
    picks : iterable of Pick
        Best first; a title that comes again is passed over.
    n, page : int
    share : float
        At least one of a group may come.
    groups : callable
        Returns the groups that a title is of.
    """
    most = max(1, round(page * share))
    chosen: list[Pick] = []
    waiting: list[Pick] = []
    coming = _once(picks)
    while len(chosen) < n:
        times: Counter[str] = Counter()
        room = min(page, n - len(chosen))
        coming, waiting = chain(waiting, coming), []
        for pick in coming:
            of = list(groups(pick.title))
            if any(times[group] >= most for group in of):
                waiting.append(pick)
                continue
            times.update(of)
            chosen.append(pick)
            room -= 1
            if not room:
                break
        else:  # no more titles: a page that is not full is the last
            break
    return chosen


def _once(picks: Iterable[Pick]) -> Iterator[Pick]:
    seen: set[int] = set()
    for pick in picks:
        if pick.title not in seen:
            seen.add(pick.title)
            yield pick


def packed(*, other: Int64, parts: Float32) -> bytes:
    """Return the links of one title as they are stored: where to, then the parts in half precision.

    Parameters
    ----------
    other : int array (n_links,)
    parts : float array (n_links, n_sources)
    """
    return other.astype("<i8").tobytes() + parts.astype("<f2").tobytes()


def unpacked(content: bytes) -> tuple[Int64, Float32]:
    """Return what `packed` was given, the parts rounded to half precision.

    Raises
    ------
    ValueError
        If it is no such content.
    """
    size = 8 + 2 * len(SOURCES)
    n, rest = divmod(len(content), size)
    if rest:
        raise ValueError(f"{len(content)} bytes are no links of {size} bytes each.")
    other = np.frombuffer(content, "<i8", n).astype(np.int64)
    parts = np.frombuffer(content, "<f2", offset=8 * n).astype(np.float32)
    return other, parts.reshape(n, len(SOURCES))
