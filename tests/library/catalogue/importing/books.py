"""Rows and helpers for tests of the import of books."""

from library.catalogue.models import Book

HEADER = "id,title,subtitle,authors,publisher,year,language,isbn,description,category,cover,audio"
FIELDS = [column for column in HEADER.split(",") if column not in ("id", "category")]
OPTICS = (
    "7",
    "Optics",
    "A treatise",
    "Newton, Isaac",
    "Dover",
    "1952",
    "EN",
    "0-486-60205-2",
    "Of light.",
    "535",
    "",
    "",
)


def shown(control_number):
    """Return the stored values of a book by column."""
    book = Book.objects.select_related("category").get(control_number=control_number)
    row = {field: getattr(book, field) for field in FIELDS}
    return row | {"category": book.category and book.category.notation, "source": book.category_source}


def counts(report):
    return report.created, report.updated, report.unchanged, report.skipped
