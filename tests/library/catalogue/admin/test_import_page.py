"""The import page of books."""

import pytest
from django.test import Client
from django.utils import timezone

from library.admin_site.roles import CIRCULATION
from library.catalogue.models import Book, Category, Copy
from tests.factories import make_book, make_category
from tests.import_pages import hidden, problems, upload
from tests.logins import desk, make_librarian, make_user

pytestmark = pytest.mark.django_db

PAGE = "/admin/catalogue/book/import/"
FAULTY = "id,title,year,category\n1,Stars,1999,520\n2,,2001,\n3,Optics,soon,535\n"


@pytest.fixture
def librarian():
    return desk(make_librarian())


def test_file_is_checked_fixed_and_imported(librarian):
    response = upload(librarian, PAGE, FAULTY)
    assert problems(response) == [
        (3, "title", "Missing title. Row skipped.", "2,,2001,"),
        (
            4, "year", f'"soon" is not a year from 1 to {timezone.now().year + 5}. The value is skipped.',
            "3,Optics,soon,535",
        ),
    ]  # fmt: skip
    assert Book.objects.count() == Category.objects.count() == 0

    fields = {name: hidden(response, name) for name in ("name", "text")}
    assert fields == {"name": "new.csv", "text": FAULTY}
    response = librarian.post(
        PAGE, {**fields, "do": "check", "line-3": "2,Comets,2001,", "line-4": "3,Optics,,535"}
    )
    assert problems(response) == []
    assert response.context["counts"] == [("new books", "3"), ("new categories", "2"), ("new copies", "3")]
    assert Book.objects.count() == Category.objects.count() == 0

    response = librarian.post(
        PAGE, {"name": "new.csv", "text": hidden(response, "text"), "do": "import"}, follow=True
    )
    assert response.redirect_chain == [("/admin/catalogue/book/", 302)]
    assert "new.csv: new books 3, new categories 2, new copies 3" in response.content.decode()
    assert list(Book.objects.order_by("control_number").values_list("control_number", "title", "year")) == [
        ("1", "Stars", 1999),
        ("2", "Comets", 2001),
        ("3", "Optics", None),
    ]
    assert set(Copy.objects.values_list("barcode", flat=True)) == {"1", "2", "3"}


def test_faulty_rows_are_skipped_only_on_request(librarian):
    fields = {"name": "new.csv", "text": FAULTY}
    response = librarian.post(PAGE, {**fields, "do": "import"})
    assert response.status_code == 200
    assert len(problems(response)) == 2
    assert Book.objects.count() == Category.objects.count() == 0
    assert librarian.post(PAGE, {**fields, "do": "rest"}).status_code == 302
    assert set(Book.objects.values_list("title", "year")) == {("Stars", 1999), ("Optics", None)}


def test_new_file_is_always_checked_first(librarian):
    assert upload(librarian, PAGE, "id,title\n1,Stars\n", do="rest").status_code == 200
    assert Book.objects.count() == 0


def test_existing_and_new_books_are_counted_apart(librarian):
    make_book(control_number="1", title="Stars")
    response = upload(librarian, PAGE, "id,title\n1,Stars and comets\n2,Optics\n")
    assert response.context["counts"] == [("new books", "1"), ("updated books", "1"), ("new copies", "1")]


@pytest.mark.parametrize(
    ("content", "line", "column", "message"),
    [
        (
            "title\nStars\n", 1, "id",
            'new.csv, line 1: required columns are missing: id; columns found: "title".',
        ),
        ("id,id\n1,2\n", 1, "id", 'new.csv, line 1: column "id" appears more than once.'),
        (
            "id,title\n1,星\n".encode("gbk"), 2, "",
            "new.csv, line 2: invalid UTF-8: byte 0xD0 at character 3. "
            "Save the file as UTF-8 (in a spreadsheet, choose “CSV UTF-8”).",
        ),
    ],
)  # fmt: skip
def test_unusable_file_shows_its_line(librarian, content, line, column, message):
    response = upload(librarian, PAGE, content)
    assert [problem[:3] for problem in problems(response)] == [(line, column, message)]
    assert 'value="import"' not in response.content.decode()
    assert 'value="rest"' not in response.content.decode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x1f\x8b\x08", "This file is compressed. Decompress it first."),
        (b"x" * 2_000_001, "This page accepts files up to 2 MB and 10,000 lines"),
        (b"1\n" * 10_001, "This page accepts files up to 2 MB and 10,000 lines"),
        (b"", "The submitted file is empty."),
    ],
)
def test_unsupported_upload_is_refused_with_a_reason(librarian, content, message):
    response = upload(librarian, PAGE, content)
    assert message in response.content.decode()
    assert "report" not in response.context


def test_submitted_text_has_the_size_limit_of_files(librarian):
    response = librarian.post(PAGE, {"text": "1\n" * 10_001, "do": "import"})
    assert "This page accepts files up to 2 MB and 10,000 lines" in response.content.decode()
    assert "Choose a file that is not empty." in librarian.post(PAGE, {"text": ""}).content.decode()


@pytest.mark.parametrize("name", ["../../etc/books.csv", "..", "", "书" * 100 + ".csv"])
def test_file_name_cannot_leave_the_folder(librarian, name):
    response = librarian.post(PAGE, {"name": name, "text": "id,title\n1,Stars\n", "do": "check"})
    assert response.context["counts"] == [("new books", "1"), ("new copies", "1")]
    assert "/" not in response.context["report"]["file"]


def test_only_the_first_faulty_rows_are_shown(librarian):
    response = upload(librarian, PAGE, "id,title\n1,Stars\n" + "2,\n" * 60)
    assert len(problems(response)) == 50
    page = response.content.decode()
    assert "60 rows need attention" in page
    assert "10 more rows need attention. Fix the rows above first." in page


def test_row_content_is_escaped(librarian):
    response = upload(librarian, PAGE, "id,title\n,</textarea><script>alert(1)</script>\n")
    assert "<script>alert" not in response.content.decode()


def test_cover_name_reads_no_server_file(librarian):
    response = upload(librarian, PAGE, "id,title,cover\n1,Stars,/etc/passwd\n")
    assert response.context["report"]["warnings"] == [
        "Skipped covers: 1. Specify their folder with --covers."
    ]


def test_problems_are_translated(librarian):
    librarian.cookies["django_language"] = "zh-hans"
    response = upload(librarian, PAGE, FAULTY)
    page = response.content.decode()
    assert "2 行需要修正" in page
    assert "第 3 行" in page
    assert "缺少题名。 已跳过该行。" in page


def test_page_requires_permission_to_add_books(librarian):
    assert PAGE in librarian.get("/admin/catalogue/book/").content.decode()
    clerk = desk(make_user(CIRCULATION))
    assert PAGE not in clerk.get("/admin/catalogue/book/").content.decode()
    assert clerk.get(PAGE).status_code == clerk.post(PAGE, {}).status_code == 403


def test_categories_have_an_import_page(librarian):
    make_category(notation="5", label_en="Science")
    page = "/admin/catalogue/category/import/"
    content = "notation,label_en,parent\n5,Sciences,\n53,Physics,5\n54,Chemistry,6\n"
    response = upload(librarian, page, content)
    assert problems(response) == [
        (4, "parent", 'Category "6" does not exist. The value is skipped.', "54,Chemistry,6")
    ]
    assert response.context["counts"] == [("new categories", "2"), ("updated categories", "1")]
    assert Category.objects.count() == 1
    fixed = {"name": "new.csv", "text": content, "do": "import", "line-4": "54,Chemistry,5"}
    assert librarian.post(page, fixed).url == "/admin/catalogue/category/"
    assert set(Category.objects.values_list("notation", "label_en", "parent__notation", "scheme")) == {
        ("5", "Sciences", None, "local"),
        ("53", "Physics", "5", "local"),
        ("54", "Chemistry", "5", "local"),
    }
    assert page in librarian.get("/admin/catalogue/category/").content.decode()
    clerk = desk(make_user(CIRCULATION))
    assert page not in clerk.get("/admin/catalogue/category/").content.decode()
    assert clerk.get(page).status_code == clerk.post(page, fixed).status_code == 403


def test_cross_site_form_is_refused():
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_librarian())
    assert upload(client, PAGE, FAULTY, do="import").status_code == 403
