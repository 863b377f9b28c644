"""The page that imports books: checked, mended, imported; and what it refuses."""

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


def test_a_file_is_checked_mended_on_the_page_and_imported(librarian):
    answer = upload(librarian, PAGE, FAULTY)
    assert problems(answer) == [
        (3, "title", "No title. The row is left out.", "2,,2001,"),
        (4, "year", f'"soon" is no year up to {timezone.now().year + 5}; left out.', "3,Optics,soon,535"),
    ]  # fmt: skip
    assert Book.objects.count() == Category.objects.count() == 0

    taken = {name: hidden(answer, name) for name in ("name", "text")}
    assert taken == {"name": "new.csv", "text": FAULTY}
    answer = librarian.post(
        PAGE, {**taken, "do": "check", "line-3": "2,Comets,2001,", "line-4": "3,Optics,,535"}
    )
    assert problems(answer) == []
    assert answer.context["counts"] == [("new books", "3"), ("new categories", "2"), ("new copies", "3")]
    assert Book.objects.count() == Category.objects.count() == 0

    answer = librarian.post(
        PAGE, {"name": "new.csv", "text": hidden(answer, "text"), "do": "import"}, follow=True
    )
    assert answer.redirect_chain == [("/admin/catalogue/book/", 302)]
    assert "new.csv: new books 3, new categories 2, new copies 3" in answer.content.decode()
    assert list(Book.objects.order_by("control_number").values_list("control_number", "title", "year")) == [
        ("1", "Stars", 1999),
        ("2", "Comets", 2001),
        ("3", "Optics", None),
    ]
    assert set(Copy.objects.values_list("barcode", flat=True)) == {"1", "2", "3"}


def test_a_file_with_faults_is_imported_only_without_them_and_if_asked(librarian):
    taken = {"name": "new.csv", "text": FAULTY}
    answer = librarian.post(PAGE, {**taken, "do": "import"})
    assert answer.status_code == 200
    assert len(problems(answer)) == 2
    assert Book.objects.count() == Category.objects.count() == 0
    assert librarian.post(PAGE, {**taken, "do": "rest"}).status_code == 302
    assert set(Book.objects.values_list("title", "year")) == {("Stars", 1999), ("Optics", None)}


def test_a_file_just_chosen_is_checked_whatever_is_asked(librarian):
    assert upload(librarian, PAGE, "id,title\n1,Stars\n", do="rest").status_code == 200
    assert Book.objects.count() == 0


def test_a_known_book_is_told_apart_from_a_new_one(librarian):
    make_book(control_number="1", title="Stars")
    answer = upload(librarian, PAGE, "id,title\n1,Stars and comets\n2,Optics\n")
    assert answer.context["counts"] == [("new books", "1"), ("changed books", "1"), ("new copies", "1")]


@pytest.mark.parametrize(
    ("content", "line", "column", "message"),
    [
        ("title\nStars\n", 1, "id", 'new.csv, line 1: no column id; the columns are "title".'),
        ("id,id\n1,2\n", 1, "id", 'new.csv, line 1: column "id" is there more than once.'),
        (
            "id,title\n1,星\n".encode("gbk"), 2, "",
            "new.csv, line 2: not UTF-8: byte 0xD0 at character 3. "
            'Save the file as UTF-8; in a spreadsheet, as "CSV UTF-8".',
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_whole_file_is_named_with_its_line_too(
    librarian, content, line, column, message
):
    answer = upload(librarian, PAGE, content)
    assert [found[:3] for found in problems(answer)] == [(line, column, message)]
    assert 'value="import"' not in answer.content.decode()
    assert 'value="rest"' not in answer.content.decode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x1f\x8b\x08", "This file is packed. Unpack it first."),
        (b"x" * 2_000_001, "This page takes up to 2 MB and 10,000 lines"),
        (b"1\n" * 10_001, "This page takes up to 2 MB and 10,000 lines"),
        (b"", "The submitted file is empty."),
    ],
)
def test_what_the_page_cannot_take_is_refused_with_a_reason(librarian, content, message):
    answer = upload(librarian, PAGE, content)
    assert message in answer.content.decode()
    assert "report" not in answer.context


def test_the_text_that_is_taken_along_is_bounded_like_the_file(librarian):
    answer = librarian.post(PAGE, {"text": "1\n" * 10_001, "do": "import"})
    assert "This page takes up to 2 MB and 10,000 lines" in answer.content.decode()
    assert "Choose a file that is not empty." in librarian.post(PAGE, {"text": ""}).content.decode()


@pytest.mark.parametrize("name", ["../../etc/books.csv", "..", "", "书" * 100 + ".csv"])
def test_no_name_leads_out_of_the_folder(librarian, name):
    answer = librarian.post(PAGE, {"name": name, "text": "id,title\n1,Stars\n", "do": "check"})
    assert answer.context["counts"] == [("new books", "1"), ("new copies", "1")]
    assert "/" not in answer.context["report"]["file"]


def test_of_many_faulty_rows_the_first_are_shown(librarian):
    answer = upload(librarian, PAGE, "id,title\n1,Stars\n" + "2,\n" * 60)
    assert len(problems(answer)) == 50
    page = answer.content.decode()
    assert "60 rows to mend" in page
    assert "10 more rows to mend; mend these first." in page


def test_what_a_row_holds_is_text_on_the_page(librarian):
    answer = upload(librarian, PAGE, "id,title\n,</textarea><script>alert(1)</script>\n")
    assert "<script>alert" not in answer.content.decode()


def test_a_covers_name_reads_no_file_of_the_server(librarian):
    answer = upload(librarian, PAGE, "id,title,cover\n1,Stars,/etc/passwd\n")
    assert answer.context["report"]["warnings"] == [
        "1 covers were passed over: name their folder with --covers."
    ]


def test_in_chinese_the_faults_are_told_in_chinese(librarian):
    librarian.cookies["django_language"] = "zh-hans"
    answer = upload(librarian, PAGE, FAULTY)
    page = answer.content.decode()
    assert "2 行待修正" in page
    assert "第 3 行" in page
    assert "缺少题名。 该行已略去。" in page


def test_only_who_may_add_books_is_offered_the_page(librarian):
    assert PAGE in librarian.get("/admin/catalogue/book/").content.decode()
    clerk = desk(make_user(CIRCULATION))
    assert PAGE not in clerk.get("/admin/catalogue/book/").content.decode()
    assert clerk.get(PAGE).status_code == clerk.post(PAGE, {}).status_code == 403


def test_categories_have_a_page_like_it(librarian):
    make_category(notation="5", label_en="Science")
    page = "/admin/catalogue/category/import/"
    content = "notation,label_en,parent\n5,Sciences,\n53,Physics,5\n54,Chemistry,6\n"
    answer = upload(librarian, page, content)
    assert problems(answer) == [(4, "parent", 'No category "6"; left out.', "54,Chemistry,6")]
    assert answer.context["counts"] == [("new categories", "2"), ("changed categories", "1")]
    assert Category.objects.count() == 1
    mended = {"name": "new.csv", "text": content, "do": "import", "line-4": "54,Chemistry,5"}
    assert librarian.post(page, mended).url == "/admin/catalogue/category/"
    assert set(Category.objects.values_list("notation", "label_en", "parent__notation", "scheme")) == {
        ("5", "Sciences", None, "local"),
        ("53", "Physics", "5", "local"),
        ("54", "Chemistry", "5", "local"),
    }
    assert page in librarian.get("/admin/catalogue/category/").content.decode()
    clerk = desk(make_user(CIRCULATION))
    assert page not in clerk.get("/admin/catalogue/category/").content.decode()
    assert clerk.get(page).status_code == clerk.post(page, mended).status_code == 403


def test_another_sites_form_is_refused():
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_librarian())
    assert upload(client, PAGE, FAULTY, do="import").status_code == 403
