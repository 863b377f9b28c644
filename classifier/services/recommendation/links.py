"""Neighbours of titles: which follow which, and which are similar; learned and stored."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from hashlib import blake2b

import numpy as np
from django.db import transaction

from classifier.errors import ClassifierError
from classifier.models import ItemNeighbours
from classifier.pipeline.config import Config
from classifier.pipeline.features.modalities.cover import CoverModality
from classifier.pipeline.features.modalities.text import TextModality
from classifier.pipeline.recommender.item_links import ItemLinks
from classifier.pipeline.recommender.item_regression import Content
from classifier.pipeline.recommender.recommender import Recommender
from classifier.pipeline.recommender.reranking import pack_links
from classifier.pipeline.records import Catalogue, Float32, Int64, LoanTable
from classifier.services.feature_cache import feature_cache
from classifier.services.recommendation.listings import refresh_listings
from classifier.services.registry.promotion import active_version
from classifier.services.registry.versions import load_version
from classifier.services.runs.phases import LINKING
from library.catalogue.models import Book
from library.console import Progress, no_progress
from library.db import KEYS_PER_QUERY, batches

_BATCH = 2000  # books encoded together


def content_features(
    library: Catalogue, *, config: Config, progress: Progress = no_progress
) -> dict[str, Content]:
    """Return the content of books by source, one row per book: ``text``, ``cover`` and ``theme``.

    The theme is the active version's encoding of a book without its loans: loans are a source of their own,
    and a title that nobody has borrowed is encoded like all others. Without covers there is no ``cover``, and
    without a version that loads there is no ``theme``.
    """
    cache = feature_cache()
    text, cover = TextModality.from_config(config), CoverModality.from_config(config)
    text.cache = cover.cache = cache
    rng = np.random.default_rng(0)
    progress("reading books", 0, 1)
    content: dict[str, Content] = {"text": text.fit_block(library, rng=rng).values}
    if any(book.cover for book in library.books):
        block = cover.fit_block(library, rng=rng)
        content["cover"] = block.values.reshape(len(library.books), -1) * block.present[:, None]
    progress("reading books", 1, 1)
    themes = _themes(library, progress)
    return content if themes is None else content | {"theme": themes}


def _themes(library: Catalogue, progress: Progress) -> Float32 | None:
    if not library.books:
        return None
    try:
        model = load_version(version=active_version())
    except ClassifierError:  # none is active, or classification raises the alert
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
    """Store the changed neighbours of titles, and update the public lists, which depend on them.

    Parameters
    ----------
    keys
        Primary keys of books by control number.

    Returns
    -------
    dict
        A digest of each title's row by primary key, without deleted titles and those without neighbours.
    """
    existing = list(Book.objects.values_list("pk", flat=True).iterator())
    pks = np.array([keys.get(book, -1) for book in recommender.book_ids], np.int64)
    pks[~np.isin(pks, existing)] = -1
    before = dict(ItemNeighbours.objects.values_list("book", "digest").iterator())
    digests: dict[int, int] = {}
    progress(LINKING, 0, 1)
    for rows in batches(_rows(recommender, pks), KEYS_PER_QUERY // 4):
        digests.update((row.book_id, row.digest) for row in rows)
        ItemNeighbours.objects.bulk_create(
            [row for row in rows if before.get(row.book_id) != row.digest],
            update_conflicts=True,
            unique_fields=["book"],
            update_fields=["following", "similar", "digest"],
        )
    for gone in batches(sorted(before.keys() - digests.keys()), KEYS_PER_QUERY):
        ItemNeighbours.objects.filter(pk__in=gone).delete()
    progress(LINKING, 1, 1)
    refresh_listings(now=now, progress=progress)
    return digests


def _rows(recommender: Recommender, pks: Int64) -> Iterator[ItemNeighbours]:
    for title, pk in enumerate(pks.tolist()):
        following, similar = (
            _packed(links, title, pks) for links in (recommender.next_titles_, recommender.similar_titles_)
        )
        if pk >= 0 and (following or similar):
            digest = blake2b(following + b"|" + similar, digest_size=8).digest()
            yield ItemNeighbours(
                book_id=pk,
                following=following,
                similar=similar,
                digest=int.from_bytes(digest, "big", signed=True),
            )


def _packed(links: ItemLinks, title: int, pks: Int64) -> bytes:
    _owner, other, parts = links.of(np.array([title]))
    exists = pks[other] >= 0
    return pack_links(other=pks[other[exists]], parts=parts[exists])
