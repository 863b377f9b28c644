"""The page that imports loans: checked, mended, imported, and written down; and to whom it is closed."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from library.admin_site.roles import ANALYSTS, CIRCULATION
from library.catalogue.models import Copy
from library.circulation.admin.importing import LOANS
from library.circulation.models import Loan
from library.people.models import AuditEntry, Borrower
from tests.factories import make_book, make_borrower, make_copy
from tests.import_pages import hidden, problems, upload
from tests.logins import desk, make_librarian, make_user

pytestmark = pytest.mark.django_db

PAGE = "/admin/circulation/loan/import/"
LIST = "/admin/circulation/loan/"
HEADER = "borrower,book,borrowed_at,returned_at"
FAULTY = (
    f"{HEADER}\nP1,7,2024-01-02,2024-01-09\nP1,8,2024-01-03,2024-01-09\nP2,7,2024-01-05,2024-01-04\n"
    "P2,7,2024-01-10,\n"
)


@pytest.fixture
def librarian():
    make_copy(barcode="7", book=make_book(control_number="7"))
    return desk(make_librarian())


def kept():
    return list(
        Loan.objects.order_by("borrowed_at").values_list(
            "borrower__card_number", "copy__barcode", "borrowed_at__date", "returned_at__date"
        )
    )


def written():
    return list(AuditEntry.objects.order_by("pk").values_list("action", "object_type", "path"))


def test_a_file_is_checked_mended_on_the_page_and_imported(librarian):
    answer = upload(librarian, PAGE, FAULTY)
    assert problems(answer) == [
        (
            3,
            "book",
            'No book "8": import the books first. The row is left out.',
            "P1,8,2024-01-03,2024-01-09",
        ),
        (
            4,
            "returned_at",
            "Returned 2024-01-04 00:00, before it was borrowed. The row is left out.",
            "P2,7,2024-01-05,2024-01-04",
        ),
    ]
    assert answer.context["counts"] == [("new loans", "2"), ("rows left out", "2"), ("new borrowers", "2")]
    assert Loan.objects.count() == Borrower.objects.count() == 0

    taken = {name: hidden(answer, name) for name in ("name", "text")}
    assert taken == {"name": "new.csv", "text": FAULTY}
    mended = {"line-3": "P1,7,2024-01-03,2024-01-08", "line-4": ""}
    answer = librarian.post(PAGE, {**taken, "do": "check", **mended})
    assert problems(answer) == []
    assert answer.context["counts"] == [("new loans", "3"), ("new borrowers", "2"), ("new copies", "1")]
    assert Loan.objects.count() == Borrower.objects.count() == 0

    answer = librarian.post(
        PAGE, {"name": "new.csv", "text": hidden(answer, "text"), "do": "import"}, follow=True
    )
    assert answer.redirect_chain == [(LIST, 302)]
    assert "new.csv: new loans 3, new borrowers 2, new copies 1" in answer.content.decode()
    assert [(card, f"{out}", f"{back}") for card, _, out, back in kept()] == [
        ("P1", "2024-01-02", "2024-01-09"),
        ("P1", "2024-01-03", "2024-01-08"),
        ("P2", "2024-01-10", "None"),
    ]
    assert Copy.objects.count() == 2


def test_a_file_with_faults_is_imported_only_without_them_and_if_asked(librarian):
    taken = {"name": "new.csv", "text": FAULTY}
    answer = librarian.post(PAGE, {**taken, "do": "import"})
    assert answer.status_code == 200
    assert len(problems(answer)) == 2
    assert Loan.objects.count() == Borrower.objects.count() == 0
    assert librarian.post(PAGE, {**taken, "do": "rest"}).status_code == 302
    assert [(card, f"{out}") for card, _, out, _ in kept()] == [("P1", "2024-01-02"), ("P2", "2024-01-10")]


def test_a_known_loan_is_told_apart_from_a_new_one(librarian):
    text = f"{HEADER}\nP1,7,2024-01-02,2024-01-09\nP1,7,2024-02-02,\n"
    assert librarian.post(PAGE, {"text": text, "do": "import"}).status_code == 302
    answer = upload(librarian, PAGE, f"{text[:-1]}2024-02-09\nP1,7,2024-03-02,\n")
    assert answer.context["counts"] == [
        ("new loans", "1"),
        ("changed loans", "1"),
        ("unchanged loans", "1"),
    ]


def test_a_history_of_checkouts_is_told_as_such(librarian):
    answer = upload(librarian, PAGE, "borrower,book,borrowed_at\nP1,7,2024-01-02\n")
    (warning,) = answer.context["report"]["warnings"]
    assert warning.startswith("new.csv has no column returned_at: each loan counts as returned")
    assert warning in answer.content.decode()


def test_what_is_wrong_with_the_whole_file_is_named_with_its_line_too(librarian):
    answer = upload(librarian, PAGE, "borrower,borrowed_at\nP1,2024-01-02\n")
    assert problems(answer) == [
        (
            1,
            "book",
            'new.csv, line 1: no column book; the columns are "borrower", "borrowed_at".',
            "borrower,borrowed_at",
        )
    ]
    assert 'value="import"' not in answer.content.decode()


def test_what_is_too_long_is_for_the_command(librarian):
    answer = upload(librarian, PAGE, "1\n" * 10_001)
    page = answer.content.decode()
    assert "This page takes up to 2 MB and 10,000 lines; manage.py import_loans takes more." in page


def test_checks_imports_and_refusals_are_written_down(librarian):
    taken = {"name": "new.csv", "text": FAULTY}
    librarian.get(PAGE)  # it shows nobody
    librarian.post(PAGE, {**taken, "do": "check"})
    librarian.post(PAGE, {**taken, "do": "import"})
    librarian.post(PAGE, {**taken, "do": "rest"})
    assert desk(make_user(ANALYSTS)).post(PAGE, taken).status_code == 403
    assert written() == [
        ("searched", "circulation.loan", PAGE),
        ("searched", "circulation.loan", PAGE),
        ("changed", "circulation.loan", PAGE),
        ("refused", "circulation.loan", PAGE),
    ]


def test_without_its_entry_no_import_stays(librarian, monkeypatch):
    def fail(**entry):
        raise OSError("the disk is full")

    monkeypatch.setattr("library.people.admin.audit.write_entry", fail)
    librarian.raise_request_exception = False
    answer = librarian.post(PAGE, {"text": f"{HEADER}\nP1,7,2024-01-02,\n", "do": "import"})
    assert answer.status_code == 500
    assert Loan.objects.count() == Borrower.objects.count() == 0


def test_in_chinese_the_faults_are_told_in_chinese(librarian):
    librarian.cookies["django_language"] = "zh-hans"
    page = upload(librarian, PAGE, FAULTY).content.decode()
    assert "<h2>导入借阅</h2>" in page
    assert "2 行待修正" in page
    assert "没有图书 &quot;8&quot;：请先导入图书。 该行已略去。" in page
    assert "归还时间 2024-01-04 00:00 早于借出时间。 该行已略去。" in page


def test_the_page_is_offered_on_the_list_to_who_may_make_all_that_a_file_brings(librarian):
    assert PAGE in librarian.get(LIST).content.decode()
    assert librarian.get(PAGE).status_code == 200
    # Lends, but makes no copies.
    clerk = desk(make_user(CIRCULATION))
    assert PAGE not in clerk.get(LIST).content.decode()
    assert clerk.get(PAGE).status_code == clerk.post(PAGE, {}).status_code == 403


@pytest.mark.parametrize("lacking", LOANS.needed)
def test_whoever_lacks_one_of_the_permissions_is_refused(lacking):
    make_borrower(card_number="P1")
    user = User.objects.create_user("new", is_staff=True)
    codenames = [name.partition(".")[2] for name in LOANS.needed if name != lacking]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    answer = desk(user).post(PAGE, {"text": f"{HEADER}\nP1,7,2024-01-02,\n", "do": "import"})
    assert answer.status_code == 403
    assert Loan.objects.count() == 0


def test_another_sites_form_is_refused():
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_librarian())
    assert upload(client, PAGE, FAULTY, do="import").status_code == 403
