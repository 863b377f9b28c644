"""The demo's catalogue records."""

import random
from collections.abc import Callable
from typing import NamedTuple

from stdnum import ean

from library.demo import names, texts
from library.demo.categories import LEAVES

Author = tuple[str, str]

AUTHORS_PER_BOOK = 0.6
TRUE_TO_CATEGORY = 0.4  # chance that author and publisher are of the book's own field
COAUTHORED = 0.12
NEW_TITLE_TRIES = 20


class DemoBook(NamedTuple):
    """A row of ``books.csv`` (without the cover), its true category, and its author in Latin letters."""

    id: str
    title: str
    subtitle: str
    authors: str
    publisher: str
    year: int
    language: str
    isbn: str
    description: str
    category: str
    author_latin: str


def write_books(
    *, rng: random.Random, titles: int, latest_year: int, progress: Callable[[str, int, int], None]
) -> list[DemoBook]:
    """Write catalogue records: shares of the categories as in the table, half Chinese, half English.

    Parameters
    ----------
    rng : random.Random
        Where chance comes from.
    titles : int
        How many.
    latest_year : int
        No book is published after this year.
    progress : callable
        ``progress(phase, done, total)``.

    Returns
    -------
    list of DemoBook
        In the order of their ids.
    """
    kinds = _kinds(rng=rng, titles=titles)
    authors = _authors(rng=rng, kinds=kinds)
    books: list[DemoBook] = []
    taken: set[str] = set()
    for number, (category, language) in enumerate(kinds, start=1):
        text = texts.write(rng=rng, category=category, language=language)
        for _ in range(NEW_TITLE_TRIES):
            if text.title not in taken:
                break
            text = texts.write(rng=rng, category=category, language=language)
        taken.add(text.title)
        credited = [_author(rng=rng, authors=authors, category=category, language=language)]
        if rng.random() < COAUTHORED:
            second = _author(rng=rng, authors=authors, category=category, language=language)
            credited += [second] if second not in credited else []
        books.append(
            DemoBook(
                id=f"demo-{number:04d}",
                title=text.title,
                subtitle=text.subtitle,
                authors="; ".join(name for name, _ in credited),
                publisher=_publisher(rng=rng, category=category, language=language),
                # Libraries hold more new books than old ones.
                year=latest_year - int(rng.random() ** 2 * 35),
                language=language,
                isbn=_isbn(number),
                description=text.description,
                category=category,
                author_latin=credited[0][1],
            )
        )
        progress("writing books", number, titles)
    return books


def _kinds(*, rng: random.Random, titles: int) -> list[tuple[str, str]]:
    """Category and language of each book: exact shares, in random order."""
    bounds, total = [], 0.0
    for leaf in LEAVES.values():
        total += leaf.share
        bounds.append((total, leaf.notation))
    kinds = [
        (
            next(notation for bound, notation in bounds if (i + 0.5) / titles < bound + 1e-9),
            ("zh", "en")[i % 2],
        )
        for i in range(titles)
    ]
    rng.shuffle(kinds)
    return kinds


def _authors(*, rng: random.Random, kinds: list[tuple[str, str]]) -> dict[str, dict[str, list[Author]]]:
    """By language and home category; fewer than books, so that some wrote several."""
    authors: dict[str, dict[str, list[Author]]] = {
        language: {notation: [] for notation in LEAVES} for language in names.PUBLISHERS
    }
    for category, language in kinds:
        if rng.random() < AUTHORS_PER_BOOK or not authors[language][category]:
            authors[language][category].append(names.author(rng=rng, language=language))
    return authors


def _author(
    *, rng: random.Random, authors: dict[str, dict[str, list[Author]]], category: str, language: str
) -> Author:
    if rng.random() < TRUE_TO_CATEGORY:
        return rng.choice(authors[language][category])
    return rng.choice([author for home in authors[language].values() for author in home])


def _publisher(*, rng: random.Random, category: str, language: str) -> str:
    publishers = names.PUBLISHERS[language]
    if rng.random() < TRUE_TO_CATEGORY:
        return publishers[list(LEAVES).index(category) % len(publishers)]
    return rng.choice(publishers)


def _isbn(number: int) -> str:
    """Return a valid ISBN that no book bears: no country or agency has been given the group 979-9.

    979-0 would be free of books too, but belongs to printed music, whose numbers exist.
    """
    digits = f"9799{number:08d}"
    return digits + str(ean.calc_check_digit(digits))
