"""Reads of the borrowers."""

from collections.abc import Collection

from library.people.models import Borrower
from library.tabular import batches

#: SQLite takes at least 999 parameters in a statement.
KEYS_A_QUERY = 900


def borrower_ids(*, card_numbers: Collection[str]) -> dict[str, int]:
    """Return the primary keys of those borrowers that exist, by card number."""
    found: dict[str, int] = {}
    for numbers in batches(sorted(card_numbers), KEYS_A_QUERY):
        found.update(Borrower.objects.filter(card_number__in=numbers).values_list("card_number", "pk"))
    return found
