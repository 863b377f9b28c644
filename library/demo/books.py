"""Generate the catalogue records of the demo."""

import random
from collections.abc import Callable
from typing import NamedTuple

from stdnum import ean

from library.demo import names, texts
from library.demo.categories import LEAVES

Author = tuple[str, str]

AUTHORS_PER_BOOK = 0.6
OWN_FIELD = 0.4  # probability that an author or publisher belongs to the book's own field
COAUTHORED = 0.12
MAX_TITLE_TRIES = 20


class DemoBook(NamedTuple):
    """A row of ``books.csv`` (without the cover), with the true category and the author in Latin letters."""

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


def generate_books(
    *, rng: random.Random, titles: int, latest_year: int, progress: Callable[[str, int, int], None]
) -> list[DemoBook]:
    """Generate books in order of id, half Chinese, half English, with the shares of `LEAVES`.

    Parameters
    ----------
    titles
        Number of books.
    latest_year
        Latest year of publication.
    progress
        ``progress(phase, done, total)``.
    """
    kinds = _kinds(rng=rng, titles=titles)
    authors = _authors(rng=rng, kinds=kinds)
    books: list[DemoBook] = []
    used_titles: set[str] = set()
    for number, (category, language) in enumerate(kinds, start=1):
        text = texts.generate_text(rng=rng, category=category, language=language)
        for _ in range(MAX_TITLE_TRIES):
            if text.title not in used_titles:
                break
            text = texts.generate_text(rng=rng, category=category, language=language)
        used_titles.add(text.title)
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
                # Libraries have more new books than old ones.
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
    """Return category and language of each book: exact shares, in random order."""
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
    """Return authors by language and own category; fewer than books, so that some wrote several."""
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
    if rng.random() < OWN_FIELD:
        return rng.choice(authors[language][category])
    return rng.choice([author for group in authors[language].values() for author in group])


def _publisher(*, rng: random.Random, category: str, language: str) -> str:
    publishers = names.PUBLISHERS[language]
    if rng.random() < OWN_FIELD:
        return publishers[list(LEAVES).index(category) % len(publishers)]
    return rng.choice(publishers)


def _isbn(number: int) -> str:
    """Return a valid ISBN of no real book: the group 979-9 is not assigned to any country or agency.

    979-0 has no books either, but belongs to printed music, whose numbers exist.
    """
    digits = f"9799{number:08d}"
    return digits + str(ean.calc_check_digit(digits))
