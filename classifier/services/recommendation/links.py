"""Which titles follow which and which are alike, learned and kept."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from hashlib import blake2b

import numpy as np
from django.db import transaction

from classifier.errors import ClassifierError
from classifier.models import TitleLinks
from classifier.pipeline.config import Config
from classifier.pipeline.features.modalities.cover import CoverModality
from classifier.pipeline.features.modalities.text import TextModality
from classifier.pipeline.recommender.item_links import Links
from classifier.pipeline.recommender.item_regression import Content
from classifier.pipeline.recommender.recommender import Recommender
from classifier.pipeline.recommender.reranking import packed
from classifier.pipeline.records import Catalogue, Float32, Int64, LoanTable
from classifier.services.feature_cache import feature_cache
from classifier.services.recommendation.listings import refresh_listings
from classifier.services.registry.promotion import active_version
from classifier.services.registry.versions import load_version
from classifier.services.runs.pace import LINKING
from library.catalogue.models import Book
from library.console import Progress, no_progress
from library.db import KEYS_A_QUERY, batches

_BATCH = 2000  # books that the model looks at together


def what_is_in(library: Catalogue, *, config: Config, progress: Progress = no_progress) -> dict[str, Content]:
    """Return what is in books, a row each, by source: their words, their covers, and their theme.

    The theme is how the active version encodes a book of whose loans it is told nothing: they speak for
    themselves, and a title that nobody has borrowed is seen as all others are. A library without covers has
    none, one without a version that can be loaded has no themes.

    Parameters
    ----------
    library : Catalogue
    config : Config
    progress : callable

    Returns
    -------
    dict
        As `classifier.pipeline.recommender.recommender.Recommender.fit` takes it.
    """
    cache = feature_cache()
    text, cover = TextModality.from_config(config), CoverModality.from_config(config)
    text.cache = cover.cache = cache
    rng = np.random.default_rng(0)
    progress("reading books", 0, 1)
    found: dict[str, Content] = {"text": text.fit_block(library, rng=rng).values}
    if any(book.cover for book in library.books):
        block = cover.fit_block(library, rng=rng)
        found["cover"] = block.values.reshape(len(library.books), -1) * block.present[:, None]
    progress("reading books", 1, 1)
    themes = _themes(library, progress)
    return found if themes is None else found | {"theme": themes}


def _themes(library: Catalogue, progress: Progress) -> Float32 | None:
    """Return books as the active version encodes them, (n_books, d); None without one."""
    if not library.books:
        return None
    try:
        model = load_version(version=active_version())
    except ClassifierError:  # none is active, or whoever classifies raises the alarm
        return None
    codes: list[Float32] = []
    for start in range(0, len(library.books), _BATCH):
        progress("comparing books", start, len(library.books))
        part = library.books[start : start + _BATCH]
        codes.append(model.codes(replace(library, books=part, loans=LoanTable())))
    progress("comparing books", len(library.books), len(library.books))
    return np.concatenate(codes)


@transaction.atomic
def save_links(
    *, recommender: Recommender, keys: Mapping[str, int], now: datetime, progress: Progress = no_progress
) -> dict[int, int]:
    """Keep the links of titles, and bring the lists for nobody in particular up to date with them.

    Rows that stay as they were are not written.

    Parameters
    ----------
    recommender : Recommender
        Fitted.
    keys : mapping of str to int
        The primary keys of books by control number.
    now : datetime
    progress : callable

    Returns
    -------
    dict
        By primary key, the digest of the title's row; titles that are gone, or have no links, are not there.
    """
    there = list(Book.objects.values_list("pk", flat=True).iterator())
    pks = np.array([keys.get(book, -1) for book in recommender.book_ids], np.int64)
    pks[~np.isin(pks, there)] = -1
    before = dict(TitleLinks.objects.values_list("book", "digest").iterator())
    digests: dict[int, int] = {}
    progress(LINKING, 0, 1)
    for some in batches(_rows(recommender, pks), KEYS_A_QUERY // 4):
        digests.update((row.book_id, row.digest) for row in some)
        TitleLinks.objects.bulk_create(
            [row for row in some if before.get(row.book_id) != row.digest],
            update_conflicts=True,
            unique_fields=["book"],
            update_fields=["following", "alike", "digest"],
        )
    for gone in batches(sorted(before.keys() - digests.keys()), KEYS_A_QUERY):
        TitleLinks.objects.filter(pk__in=gone).delete()
    progress(LINKING, 1, 1)
    refresh_listings(now=now, progress=progress)
    return digests


def _rows(recommender: Recommender, pks: Int64) -> Iterator[TitleLinks]:
    """Yield the rows of the titles that have links and are still there: of others the primary key is -1."""
    for title, pk in enumerate(pks.tolist()):
        following, alike = (
            _packed(links, title, pks) for links in (recommender.following_, recommender.alike_)
        )
        if pk >= 0 and (following or alike):
            digest = blake2b(following + b"|" + alike, digest_size=8).digest()
            yield TitleLinks(
                book_id=pk,
                following=following,
                alike=alike,
                digest=int.from_bytes(digest, "big", signed=True),
            )


def _packed(links: Links, title: int, pks: Int64) -> bytes:
    _owner, other, parts = links.of(np.array([title]))
    there = pks[other] >= 0
    return packed(other=pks[other[there]], parts=parts[there])
