"""Writes to the borrowers."""

from collections.abc import Collection

from library.people.models import Borrower
from library.people.selectors import borrower_ids


def ensure_borrowers(*, card_numbers: Collection[str]) -> tuple[dict[str, int], int]:
    """Make those borrowers that are not there yet, known by nothing but their card.

    Returns
    -------
    ids : dict
        The primary keys of all of them, by card number.
    made : int
    """
    missing = sorted(set(card_numbers) - borrower_ids(card_numbers=card_numbers).keys())
    # Another import may make the same ones meanwhile.
    Borrower.objects.bulk_create([Borrower(card_number=number) for number in missing], ignore_conflicts=True)
    return borrower_ids(card_numbers=card_numbers), len(missing)
