"""A library that trains in a second, in which every category has its own words."""

import random
from datetime import timedelta
from pathlib import Path

from django.conf import settings

from tests.factories import NOW, make_book, make_borrower, make_category, make_copy, make_loan
from tests.files import write_image

WORDS = {
    "AST": "star comet orbit galaxy nebula eclipse planet telescope",
    "COO": "soup bread oven pepper butter garlic dough recipe",
    "HIS": "king treaty empire siege dynasty revolt crown archive",
}
COLOURS = {"AST": "navy", "COO": "orange", "HIS": "brown"}
CATEGORISED = 45
UNCATEGORISED = 6
BORROWERS = 12
LOANS = 5
"""Per borrower."""

#: Settings for a quick training that still learns words of a single category.
QUICK = ("network.width=16", "network.epochs=20", "training.folds=2", "sentence.model=none")
#: Ignores every word, so that the result is worse than with `QUICK`.
POOR = (*QUICK, "text.min_books=1000")


def make_library(*, covers: bool = False) -> dict[str, str]:
    """Save a library of three categories; return the right notation of each uncategorised book.

    Control numbers are the same in every call, so the same books are held out. A borrower reads one category.
    """
    rng = random.Random(1)
    notations = list(WORDS)
    categories = {notation: make_category(notation=notation) for notation in notations}
    shelves: dict[str, list] = {notation: [] for notation in notations}
    truth = {}
    for number in range(CATEGORISED + UNCATEGORISED):
        notation = notations[number % len(notations)]
        words = WORDS[notation].split()
        book = make_book(
            control_number=f"b{number:03}",
            title=" ".join(rng.sample(words, 3)),
            description=" ".join(rng.choices(words, k=12)),
            category=categories[notation] if number < CATEGORISED else None,
            cover=_draw(f"b{number:03}.png", COLOURS[notation]) if covers else "",
        )
        shelves[notation].append(book)
        if number >= CATEGORISED:
            truth[book.control_number] = notation
    for number in range(BORROWERS):
        borrower = make_borrower(card_number=f"p{number:03}")
        shelf = shelves[notations[number % len(notations)]]
        for months, book in enumerate(rng.sample(shelf, LOANS), start=1):
            borrowed_at = NOW - timedelta(days=30 * months)
            make_loan(
                copy=make_copy(book=book),
                borrower=borrower,
                borrowed_at=borrowed_at,
                returned_at=borrowed_at + timedelta(days=7),
            )
    return truth


def _draw(name: str, colour: str) -> str:
    write_image(Path(settings.MEDIA_ROOT) / "covers" / name, colour=colour)
    return f"covers/{name}"
