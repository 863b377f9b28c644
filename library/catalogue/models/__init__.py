"""Books, their copies and the categories they are filed under."""

from library.catalogue.models.books import TITLE_PREFIX_LENGTH, Book, SearchEntry
from library.catalogue.models.categories import Category
from library.catalogue.models.copies import Branch, Copy, ItemType
from library.catalogue.models.taxonomy import RefiledBook, TaxonomyChange

__all__ = [
    "TITLE_PREFIX_LENGTH",
    "Book",
    "Branch",
    "Category",
    "Copy",
    "ItemType",
    "RefiledBook",
    "SearchEntry",
    "TaxonomyChange",
]
