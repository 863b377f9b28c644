"""Lookups of loans, fines, holds and notices, for `library.catalogue.selectors.lookup.filter_by_lookup`."""

from library.catalogue.selectors.lookup import copies_by_barcode, search_titles
from library.people.selectors import borrowers_by_card_number

LOANS_FOUND_BY = {
    "copy": copies_by_barcode,
    "copy__book": search_titles,
    "borrower": borrowers_by_card_number,
}
FINES_FOUND_BY = {
    "loan__copy": copies_by_barcode,
    "loan__copy__book": search_titles,
    "borrower": borrowers_by_card_number,
}
HOLDS_FOUND_BY = {"copy": copies_by_barcode, "book": search_titles, "borrower": borrowers_by_card_number}
NOTICES_FOUND_BY = {"loan__borrower": borrowers_by_card_number, "hold__borrower": borrowers_by_card_number}
