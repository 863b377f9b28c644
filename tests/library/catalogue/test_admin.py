import pytest

from library.catalogue.models import Book, Copy
from tests.factories import make_book, make_category, make_copy, make_loan
from tests.logins import desk, make_librarian

pytestmark = pytest.mark.django_db

BOOKS = "/admin/catalogue/book/"


def form(**changes):
    """What the browser sends from a book's page."""
    fields = {"title": "Optics", "control_number": "9"}
    for prefix in ("copies", "suggestions"):
        fields |= {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}
    return fields | changes


def test_a_book_is_added_with_a_copy():
    changes = {"copies-TOTAL_FORMS": 1, "copies-0-barcode": "K9"}
    answer = desk(make_librarian()).post(f"{BOOKS}add/", form(**changes))
    assert answer.status_code == 302
    assert Copy.objects.get().book == Book.objects.get(category_source="none")


def test_a_book_added_with_a_category_has_it_from_the_librarian():
    category = make_category()
    desk(make_librarian()).post(f"{BOOKS}add/", form(category=category.pk))
    book = Book.objects.get()
    assert (book.category, book.category_source) == (category, "librarian")


@pytest.mark.parametrize(("choice", "source"), [("same", "imported"), ("other", "librarian"), ("", "none")])
def test_only_a_changed_category_becomes_the_librarians(choice, source):
    same, other = make_category(), make_category()
    book = make_book(category=same, category_source="imported")
    category = {"same": same.pk, "other": other.pk}.get(choice, "")
    desk(make_librarian()).post(f"{BOOKS}{book.pk}/change/", form(category=category))
    book.refresh_from_db()
    assert (book.category_id or "", book.category_source, book.title) == (category, source, "Optics")


def test_the_list_shows_a_cover_only_where_there_is_one():
    make_book(cover="covers/a.png")
    make_book()
    page = desk(make_librarian()).get(BOOKS).content.decode()
    assert page.count('class="cover"') == 1
    assert 'src="/media/covers/a.png"' in page


def test_books_are_searched_by_author():
    make_book(title="Optics", authors="Newton")
    make_book(title="Bridges", authors="Brunel")
    page = desk(make_librarian()).get(f"{BOOKS}?q=newton").content.decode()
    assert "Optics" in page
    assert "Bridges" not in page


def test_books_are_filtered_by_year_and_source():
    make_book(title="Optics", year=1980)
    make_book(title="Bridges", year=2000)
    client = desk(make_librarian())
    page = client.get(f"{BOOKS}?year_from=1990&category_source__exact=none").content.decode()
    assert "Bridges" in page
    assert "Optics" not in page


def test_a_category_counts_its_books():
    category = make_category(notation="535")
    make_book(category=category)
    make_book(category=category)
    answer = desk(make_librarian()).get("/admin/catalogue/category/")
    assert [row.number_of_books for row in answer.context["cl"].result_list] == [2]


def test_a_book_whose_copies_were_lent_cannot_be_deleted():
    copy = make_copy()
    make_loan(copy=copy)
    desk(make_librarian()).post(f"{BOOKS}{copy.book_id}/delete/", {"post": "yes"})
    assert Book.objects.filter(pk=copy.book_id).exists()
