"""Importing on a page of the admin."""

import gzip

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from library.catalogue.models import Book, Category
from library.desk import importing
from library.desk.roles import LIBRARIANS
from tests.factories import make_book
from tests.logins import desk, make_user

pytestmark = pytest.mark.django_db

BOOKS, CATEGORIES = "/admin/catalogue/book/import/", "/admin/catalogue/category/import/"
GOOD = "id,title,year\nb1,Optics,1704\nb2,光学,1958\n"
WRONG = "id,title,year\nb1,Optics,MDCCIV\nb2,光学,1958\n,Nothing,1900\n"


@pytest.fixture
def librarian():
    return desk(make_user(LIBRARIANS))


def sent(client, text, address=BOOKS, button="import", **more):
    content = text if isinstance(text, bytes) else text.encode()
    return client.post(address, {"file": SimpleUploadedFile("books.csv", content), button: "", **more})


def problems(answer):
    return [(problem.row, problem.column) for problem in answer.context["outcome"].problems]


def test_what_is_wrong_is_told_by_line_and_column_and_nothing_is_kept_until_it_is_mended(librarian):
    answer = sent(librarian, WRONG)
    assert answer.status_code == 200
    assert problems(answer) == [(2, "year"), (4, "id")]
    page = answer.content.decode()
    assert "Nothing was imported. Mend the file and choose it again." in page
    assert "2 places are wrong." in page
    assert Book.objects.count() == 0
    answer = librarian.post(
        BOOKS, {"file": SimpleUploadedFile("b.csv", GOOD.encode()), "import": ""}, follow=True
    )
    assert answer.redirect_chain == [("/admin/catalogue/book/", 302)]
    assert [str(message) for message in answer.context["messages"]] == ["2 new"]
    assert list(Book.objects.order_by("pk").values_list("control_number", "title", "year")) == [
        ("b1", "Optics", 1704), ("b2", "光学", 1958)
    ]  # fmt: skip


def test_the_rest_is_kept_where_that_is_wanted(librarian):
    make_book(control_number="b2", title="光学", year=1958)
    answer = sent(librarian, WRONG, keep_rest="on")
    assert problems(answer) == [(2, "year"), (4, "id")]
    assert [str(message) for message in answer.context["messages"]] == ["1 new, 1 as before, 1 left out"]
    assert set(Book.objects.values_list("control_number", "year")) == {("b1", None), ("b2", 1958)}


def test_a_check_tells_all_and_writes_nothing(librarian):
    answer = sent(librarian, WRONG, button="check")
    assert problems(answer) == [(2, "year"), (4, "id")]
    assert "Checked, nothing was written yet. It would bring: 2 new, 1 left out." in answer.content.decode()
    assert Book.objects.count() == 0


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (gzip.compress(GOOD.encode()), "The file is compressed. Unpack it first."),
        (b"x" * 101, "The file is larger than 5 MB."),
        (b"", "The submitted file is empty."),
        ("name\nOptics\n", "upload.csv, line 1: no column id; the columns are"),
        ("id,title\nb1,\xff\n".encode("latin-1"), "UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_words(librarian, monkeypatch, content, told):
    monkeypatch.setattr(importing, "MOST_BYTES", 100)
    answer = sent(librarian, content)
    assert answer.status_code == 200
    assert told in answer.content.decode()
    assert Book.objects.count() == 0


def test_no_more_problems_are_listed_than_a_page_holds(librarian, monkeypatch):
    monkeypatch.setattr(importing, "MOST_SHOWN", 1)
    page = sent(librarian, WRONG).content.decode()
    assert "2 places are wrong." in page
    assert page.count("<td>year</td>") + page.count("<td>id</td>") == 1


def test_categories_come_with_their_tree(librarian):
    answer = sent(librarian, "notation,label_en,parent\nA,Science,\nB,Optics,A\n", address=CATEGORIES)
    assert (answer.status_code, answer["Location"]) == (302, "/admin/catalogue/category/")
    assert Category.objects.get(notation="B").parent.notation == "A"


def test_the_page_speaks_chinese_and_is_led_to_from_the_list(librarian):
    assert (
        '<a class="font-semibold" href="import/">' in librarian.get("/admin/catalogue/book/").content.decode()
    )
    page = librarian.get(BOOKS, headers={"accept-language": "zh-hans"}).content.decode()
    assert "导入图书" in page
    reader = desk(make_user("analysts"))
    assert 'href="import/"' not in reader.get("/admin/catalogue/book/").content.decode()
