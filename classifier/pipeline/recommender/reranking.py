"""Re-rank candidate titles for one borrower.

Needs numpy only, so web processes can use it: see `classifier.selectors.recommendations`.
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
_MIN_SOURCE_SHARE = 1 / 3
"""Share of a contribution from which a source is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A title and the reason for it.

    Attributes
    ----------
    score
        0 for fillers.
    sources
        Largest contribution first, see `contributing_sources`; or "again" (borrowed before); or, for fillers,
        "new" (in a category of the borrower), "popular" or "latest" (new in any category).
    because
        The title that contributed most, the title itself for "again"; -1 for fillers.
    """

    title: int
    score: float
    sources: tuple[Source, ...]
    because: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Titles that a borrower borrowed or rated, each array (n_titles,).

    Attributes
    ----------
    weight
        Negative for unwanted titles, which lowers the score of similar ones.
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
        """Weight the titles of a borrower: loans decay with a half-life relative to the newest.

        Parameters
        ----------
        borrowed : (n_borrowed,)
            Distinct titles.
        borrowed_at
            Last loan, in seconds since 1970-01-01 UTC.
        liked, unwanted
            Borrowed or not; a liked title weighs as much as the newest loan.
        """
        unwanted_titles, liked_titles = (
            np.array(sorted(unwanted), np.int64),
            np.array(sorted(liked), np.int64),
        )
        age = borrowed_at.max(initial=0) - borrowed_at
        weight = np.where(
            np.isin(borrowed, liked_titles), 1, np.exp2(-age / (settings.half_life_years * _YEAR))
        )
        kept, liked_titles = (
            ~np.isin(borrowed, unwanted_titles),
            liked_titles[~np.isin(liked_titles, borrowed)],
        )
        counts = (int(kept.sum()), len(liked_titles), len(unwanted_titles))
        return cls(
            titles=np.concatenate([borrowed[kept], liked_titles, unwanted_titles]),
            weight=np.concatenate(
                [
                    weight[kept],
                    np.ones(len(liked_titles)),
                    np.full(len(unwanted_titles), -settings.unwanted_weight),
                ]
            ),
            borrowed=np.repeat([True, False, False], counts),
        )

    def excluded_titles(self, *, include_borrowed: bool) -> Int64:
        """Return the titles that must not be listed: unwanted ones, and borrowed ones unless included."""
        return self.titles[(self.weight < 0) | (self.borrowed & (not include_borrowed))]


def top_n(
    history: History,
    *,
    links: tuple[Int64, Int64, Float32],
    fallback: Iterable[Candidate],
    n: int,
    page: int | None = None,
    include_borrowed: bool = False,
    groups: Callable[[int], Iterable[str]],
    settings: RecommendConfig,
    keep: Callable[[Iterable[Candidate]], Iterable[Candidate]] = iter,
) -> list[Candidate]:
    """Return the `n` best titles for a borrower, filled up from `fallback` (best first).

    Parameters
    ----------
    links
        From `ItemLinks.of`: index into the history, linked title, and parts.
    page
        Titles shown together; None: all.
    groups
        Returns the groups (author, series) of a title, whose share of a page is limited.
    """
    ranked = rank_candidates(
        history, links=links, again_weight=settings.again_weight if include_borrowed else 0.0
    )
    excluded = set(history.excluded_titles(include_borrowed=include_borrowed).tolist())
    rest = (candidate for candidate in fallback if candidate.title not in excluded)
    return diversify(
        keep(chain(ranked, rest)), n=n, page=page or n, share=settings.author_share, groups=groups
    )


def rank_candidates(
    history: History, *, links: tuple[Int64, Int64, Float32], again_weight: float = 0.0
) -> Iterator[Candidate]:
    """Yield the titles that a history leads to, best first; ties go to the smaller index.

    Parameters
    ----------
    again_weight
        Weight of a loan for the title itself; 0 excludes borrowed titles.
    """
    owner, other, parts = links
    titles, weight = history.titles, history.weight
    contributions = np.hstack(
        [parts * weight[owner, None], np.zeros((len(owner), 1))]
    )  # last column: "again"
    if again_weight:
        borrowed = np.flatnonzero(history.borrowed)
        own_contribution = np.zeros((len(borrowed), contributions.shape[1]))
        own_contribution[:, -1] = again_weight * weight[borrowed]
        owner, other = np.append(owner, borrowed), np.append(other, titles[borrowed])
        contributions = np.vstack([contributions, own_contribution])
    is_allowed = ~np.isin(other, history.excluded_titles(include_borrowed=again_weight > 0))
    owner, other, contributions = owner[is_allowed], other[is_allowed], contributions[is_allowed]
    sums = contributions.sum(axis=1)
    candidates, position = np.unique(other, return_inverse=True)
    scores = np.bincount(position, sums, minlength=len(candidates))
    by_size = np.lexsort((owner, -sums, position))
    largest = by_size[
        np.searchsorted(position[by_size], np.arange(len(candidates)))
    ]  # contribution per candidate
    for k in np.lexsort((candidates, -scores)).tolist():
        if scores[k] <= 0:
            return
        yield Candidate(
            title=int(candidates[k]),
            score=float(scores[k]),
            sources=contributing_sources(contributions[largest[k]]),
            because=int(titles[owner[largest[k]]]),
        )


def contributing_sources(parts: Float64) -> tuple[Source, ...]:
    """Return the main source and those with at least a third of its contribution, in descending order.

    Parameters
    ----------
    parts : (n_sources + 1,)
        In the order of `SOURCES`, then "again".
    """
    sources: tuple[Source, ...] = (*SOURCES, "again")
    order = np.argsort(-parts, kind="stable").tolist()
    return tuple(
        sources[i] for rank, i in enumerate(order) if not rank or parts[i] >= _MIN_SOURCE_SHARE * parts.sum()
    )


def diversify(
    candidates: Iterable[Candidate],
    *,
    n: int,
    page: int,
    share: float,
    groups: Callable[[int], Iterable[str]],
) -> list[Candidate]:
    """Return the first `n` titles, page by page, with at most a `share` of each group on a page.

    Repeated titles are skipped, surplus ones move to the next page. Each group (author, series) may have at
    least one title.

    Parameters
    ----------
    candidates
        Best first.
    """
    max_per_group = max(1, round(page * share))
    chosen: list[Candidate] = []
    deferred: list[Candidate] = []
    remaining = _distinct(candidates)
    while len(chosen) < n:
        counts: Counter[str] = Counter()
        room = min(page, n - len(chosen))
        remaining, deferred = chain(deferred, remaining), []
        for candidate in remaining:
            candidate_groups = list(groups(candidate.title))
            if any(counts[group] >= max_per_group for group in candidate_groups):
                deferred.append(candidate)
                continue
            counts.update(candidate_groups)
            chosen.append(candidate)
            room -= 1
            if not room:
                break
        else:  # no more titles: this was the last page
            break
    return chosen


def _distinct(candidates: Iterable[Candidate]) -> Iterator[Candidate]:
    seen: set[int] = set()
    for candidate in candidates:
        if candidate.title not in seen:
            seen.add(candidate.title)
            yield candidate


def pack_links(*, other: Int64, parts: Float32) -> bytes:
    """Serialise the links of one title: linked titles, then parts in half precision."""
    return other.astype("<i8").tobytes() + parts.astype("<f2").tobytes()


def unpack_links(content: bytes) -> tuple[Int64, Float32]:
    """Return what `pack_links` serialised; raises `ValueError` if the length is wrong."""
    size = 8 + 2 * len(SOURCES)
    n, rest = divmod(len(content), size)
    if rest:
        raise ValueError(f"{len(content)} bytes is not a multiple of {size}.")
    other = np.frombuffer(content, "<i8", n).astype(np.int64)
    parts = np.frombuffer(content, "<f2", offset=8 * n).astype(np.float32)
    return other, parts.reshape(n, len(SOURCES))
