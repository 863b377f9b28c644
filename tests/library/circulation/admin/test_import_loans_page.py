"""Import page of loans: checks, fixes, imports, audit entries and permissions."""

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


def stored_loans():
    return list(
        Loan.objects.order_by("borrowed_at").values_list(
            "borrower__card_number", "copy__barcode", "borrowed_at__date", "returned_at__date"
        )
    )


def audit_entries():
    return list(AuditEntry.objects.order_by("pk").values_list("action", "object_type", "path"))


def test_file_can_be_fixed_on_the_page_and_imported(librarian):
    response = upload(librarian, PAGE, FAULTY)
    assert problems(response) == [
        (
            3,
            "book",
            'No book has the control number "8". Import the books first. Row skipped.',
            "P1,8,2024-01-03,2024-01-09",
        ),
        (
            4,
            "returned_at",
            "The return time 2024-01-04 00:00 is before the checkout time. Row skipped.",
            "P2,7,2024-01-05,2024-01-04",
        ),
    ]
    assert response.context["counts"] == [("new loans", "2"), ("skipped rows", "2"), ("new borrowers", "2")]
    assert Loan.objects.count() == Borrower.objects.count() == 0

    form_data = {name: hidden(response, name) for name in ("name", "text")}
    assert form_data == {"name": "new.csv", "text": FAULTY}
    fixes = {"line-3": "P1,7,2024-01-03,2024-01-08", "line-4": ""}
    response = librarian.post(PAGE, {**form_data, "do": "check", **fixes})
    assert problems(response) == []
    assert response.context["counts"] == [("new loans", "3"), ("new borrowers", "2"), ("new copies", "1")]
    assert Loan.objects.count() == Borrower.objects.count() == 0

    response = librarian.post(
        PAGE, {"name": "new.csv", "text": hidden(response, "text"), "do": "import"}, follow=True
    )
    assert response.redirect_chain == [(LIST, 302)]
    assert "new.csv: new loans 3, new borrowers 2, new copies 1" in response.content.decode()
    assert [(card, f"{borrowed}", f"{returned}") for card, _, borrowed, returned in stored_loans()] == [
        ("P1", "2024-01-02", "2024-01-09"),
        ("P1", "2024-01-03", "2024-01-08"),
        ("P2", "2024-01-10", "None"),
    ]
    assert Copy.objects.count() == 2


def test_faulty_rows_are_skipped_only_on_request(librarian):
    form_data = {"name": "new.csv", "text": FAULTY}
    response = librarian.post(PAGE, {**form_data, "do": "import"})
    assert response.status_code == 200
    assert len(problems(response)) == 2
    assert Loan.objects.count() == Borrower.objects.count() == 0
    assert librarian.post(PAGE, {**form_data, "do": "rest"}).status_code == 302
    assert [(card, f"{borrowed}") for card, _, borrowed, _ in stored_loans()] == [
        ("P1", "2024-01-02"),
        ("P2", "2024-01-10"),
    ]


def test_existing_and_new_loans_are_counted_separately(librarian):
    text = f"{HEADER}\nP1,7,2024-01-02,2024-01-09\nP1,7,2024-02-02,\n"
    assert librarian.post(PAGE, {"text": text, "do": "import"}).status_code == 302
    response = upload(librarian, PAGE, f"{text[:-1]}2024-02-09\nP1,7,2024-03-02,\n")
    assert response.context["counts"] == [
        ("new loans", "1"),
        ("updated loans", "1"),
        ("unchanged loans", "1"),
    ]


def test_checkout_history_shows_a_warning(librarian):
    response = upload(librarian, PAGE, "borrower,book,borrowed_at\nP1,7,2024-01-02\n")
    (warning,) = response.context["report"]["warnings"]
    assert warning.startswith("new.csv has no returned_at column. Each loan is treated as returned")
    assert warning in response.content.decode()


def test_file_level_error_names_its_line(librarian):
    response = upload(librarian, PAGE, "borrower,borrowed_at\nP1,2024-01-02\n")
    assert problems(response) == [
        (
            1,
            "book",
            (
                'new.csv, line 1: required columns are missing: book; columns found: "borrower", '
                '"borrowed_at".'
            ),
            "borrower,borrowed_at",
        )
    ]
    assert 'value="import"' not in response.content.decode()


def test_too_long_file_refers_to_the_command(librarian):
    response = upload(librarian, PAGE, "1\n" * 10_001)
    page = response.content.decode()
    assert (
        "This page accepts files up to 2 MB and 10,000 lines. For larger files, use manage.py import_loans."
    ) in page


def test_checks_imports_and_refusals_are_audited(librarian):
    form_data = {"name": "new.csv", "text": FAULTY}
    librarian.get(PAGE)  # shows no borrowers
    librarian.post(PAGE, {**form_data, "do": "check"})
    librarian.post(PAGE, {**form_data, "do": "import"})
    librarian.post(PAGE, {**form_data, "do": "rest"})
    assert desk(make_user(ANALYSTS)).post(PAGE, form_data).status_code == 403
    assert audit_entries() == [
        ("searched", "circulation.loan", PAGE),
        ("searched", "circulation.loan", PAGE),
        ("changed", "circulation.loan", PAGE),
        ("refused", "circulation.loan", PAGE),
    ]


def test_failed_audit_entry_rolls_back_the_import(librarian, monkeypatch):
    def fail(**entry):
        raise OSError("the disk is full")

    monkeypatch.setattr("library.people.admin.audit.write_entry", fail)
    librarian.raise_request_exception = False
    response = librarian.post(PAGE, {"text": f"{HEADER}\nP1,7,2024-01-02,\n", "do": "import"})
    assert response.status_code == 500
    assert Loan.objects.count() == Borrower.objects.count() == 0


def test_problems_are_translated(librarian):
    librarian.cookies["django_language"] = "zh-hans"
    page = upload(librarian, PAGE, FAULTY).content.decode()
    assert "<h2>导入借阅</h2>" in page
    assert "2 行需要修正" in page
    assert "没有控制号为 &quot;8&quot; 的图书。请先导入图书。 已跳过该行。" in page
    assert "归还时间 2024-01-04 00:00 早于借出时间。 已跳过该行。" in page


def test_import_link_needs_all_permissions(librarian):
    assert PAGE in librarian.get(LIST).content.decode()
    assert librarian.get(PAGE).status_code == 200
    # May check out copies but not add them.
    clerk = desk(make_user(CIRCULATION))
    assert PAGE not in clerk.get(LIST).content.decode()
    assert clerk.get(PAGE).status_code == clerk.post(PAGE, {}).status_code == 403


@pytest.mark.parametrize("missing", LOANS.permissions)
def test_each_missing_permission_is_403(missing):
    make_borrower(card_number="P1")
    user = User.objects.create_user("new", is_staff=True)
    codenames = [name.partition(".")[2] for name in LOANS.permissions if name != missing]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    response = desk(user).post(PAGE, {"text": f"{HEADER}\nP1,7,2024-01-02,\n", "do": "import"})
    assert response.status_code == 403
    assert Loan.objects.count() == 0


def test_cross_site_form_is_403():
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_librarian())
    assert upload(client, PAGE, FAULTY, do="import").status_code == 403
