"""Catalogue of many books in Chinese and English, with copies, for benchmarks of the search.

Unlike in the demo, whose few hundred phrases are each in thousands of books, every title has one of 20,000
topics with the frequencies of natural words: the commonest in a tenth of all books, the rarest in one or
none.
"""

import random
from datetime import datetime
from itertools import accumulate
from math import ceil

from django.db import connection, transaction

from library.catalogue.models import Book, Branch
from library.catalogue.services import index_books
from library.demo import names, texts
from library.demo.categories import LEAVES

TOPICS = 20_000
BRANCHES = 5
BATCH = 2_000

_SYLLABLES = [first + second for first in "bcdfghklmnprstvz" for second in ("a", "en", "i", "or", "u")]


def topics(language: str) -> list[str]:
    """Return the topics of a language, the most common first."""
    rng = random.Random(language)
    if language == "en":
        return ["".join(rng.choices(_SYLLABLES, k=rng.randint(2, 4))) for _ in range(TOPICS)]
    # From the first 3,000 characters of the block; most are in use.
    return ["".join(chr(0x4E00 + rng.randrange(3_000)) for _ in range(2)) for _ in range(TOPICS)]


def load(*, books: int, now: datetime) -> None:
    """Fill an empty, migrated PostgreSQL database with books and two copies of each, half of them on loan."""
    rng = random.Random(0)
    choices = {language: topics(language) for language in ("en", "zh")}
    weights = list(accumulate(1 / rank for rank in range(1, TOPICS + 1)))
    leaves = list(LEAVES)
    Branch.objects.bulk_create(Branch(code=f"b{n}", name=f"Branch {n}") for n in range(1, BRANCHES + 1))
    for batch in range(ceil(books / BATCH)):
        rows = []
        for number in range(batch * BATCH, min(books, (batch + 1) * BATCH)):
            language = ("en", "zh")[number % 2]
            text = texts.generate_text(rng=rng, category=rng.choice(leaves), language=language)
            (topic,) = rng.choices(choices[language], cum_weights=weights)
            rows.append(
                Book(
                    control_number=f"B{number:07}",
                    title=f"{text.title}{'：' if language == 'zh' else ': '}{topic}",
                    subtitle=text.subtitle,
                    authors=names.author(rng=rng, language=language)[0],
                    publisher=rng.choice(names.PUBLISHERS[language]),
                    year=1950 + rng.randrange(75),
                    language=language,
                    isbn=f"979{number:010}",
                    description=text.description,
                    created_at=now,
                )
            )
        with transaction.atomic():
            saved = Book.objects.bulk_create(rows)
            index_books(pks=[book.pk for book in saved])
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO catalogue_copy (barcode, book_id, branch_id, shelf_location, call_number, status)
            SELECT 'K' || book.id || '-' || n, book.id, branch.id, '', '',
                CASE WHEN (book.id + n) % 2 = 0 THEN 'available' ELSE 'on_loan' END
            FROM catalogue_book book, generate_series(1, 2) n, catalogue_branch branch
            WHERE branch.code = 'b' || (1 + (book.id + n) % %s)
            """.replace("% 2", "%% 2").replace("% %s", "%% %s"),
            [BRANCHES],
        )
        cursor.execute("VACUUM ANALYZE")
