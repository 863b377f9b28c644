"""What loans, fines, holds and notices are found by: see `library.catalogue.selectors.lookup.rows_about`."""

from library.catalogue.selectors.lookup import copies_called, titles_called
from library.people.selectors import borrowers_called

LOANS_FOUND_BY = {"copy": copies_called, "copy__book": titles_called, "borrower": borrowers_called}
FINES_FOUND_BY = {
    "loan__copy": copies_called,
    "loan__copy__book": titles_called,
    "borrower": borrowers_called,
}
HOLDS_FOUND_BY = {"copy": copies_called, "book": titles_called, "borrower": borrowers_called}
NOTICES_FOUND_BY = {"loan__borrower": borrowers_called, "hold__borrower": borrowers_called}
