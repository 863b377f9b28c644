"""Circulation selectors: read loans, holds, fines and notices."""

from library.circulation.selectors.loans import copies_of_books, installation_counts, loans_of_books

__all__ = ["copies_of_books", "installation_counts", "loans_of_books"]
