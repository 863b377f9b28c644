"""Reads and changes in the admin and the API, and sign-ins, are recorded in the audit log."""

from urllib.parse import quote

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import DatabaseError

from library.admin_site.roles import ADMINISTRATORS, ANALYSTS
from library.circulation.models import Loan
from library.people.models import AuditEntry, Borrower
from tests.classifier.factories import make_recommendation
from tests.databases import both_databases, on_postgresql
from tests.factories import make_borrower, make_loan
from tests.library.people.audit_log import anonymous_entry, entries
from tests.logins import api, desk, make_librarian, make_user

BORROWERS = "/admin/people/borrower/"


@pytest.mark.django_db
def test_admin_reads_are_recorded():
    first, second = make_borrower(card_number="P1"), make_borrower(card_number="P2")
    client = desk(make_librarian())
    client.get(BORROWERS)
    client.get(f"{BORROWERS}{first.pk}/change/")
    client.get(f"{BORROWERS}{first.pk}/history/")
    client.get(f"{BORROWERS}{second.pk}/delete/")
    assert entries() == [
        ("searched", "people.borrower", "", f"{first.pk} {second.pk}"),
        ("viewed", "people.borrower", str(first.pk), ""),
        ("viewed", "people.borrower", str(first.pk), ""),
        ("viewed", "people.borrower", str(second.pk), ""),
    ]
    assert set(AuditEntry.objects.values_list("user_name", flat=True)) == {"librarian"}
    assert AuditEntry.objects.last().path == BORROWERS


@pytest.mark.django_db
def test_missing_page_is_not_recorded():
    assert desk(make_librarian()).get(f"{BORROWERS}99/change/").status_code == 302
    assert entries() == []


@pytest.mark.django_db
def test_autocomplete_is_recorded():
    make_borrower(card_number="P1")
    query = "app_label=circulation&model_name=loan&field_name=borrower&term=P1"
    assert desk(make_librarian()).get(f"/admin/autocomplete/?{query}").json()["results"]
    assert entries() == [("searched", "people.borrower", "", "")]


@pytest.mark.django_db
def test_admin_changes_are_recorded_without_values():
    client = desk(make_librarian())
    form = {"card_number": "CARD-77", "name": "Zoë", "retention": "keep"}
    assert client.post(f"{BORROWERS}add/", form).status_code == 302
    borrower = Borrower.objects.get()
    assert client.post(f"{BORROWERS}{borrower.pk}/change/", form | {"name": "Zoë Q"}).status_code == 302
    assert client.post(f"{BORROWERS}{borrower.pk}/delete/", {"post": "yes"}).status_code == 302
    assert entries() == [("changed", "people.borrower", str(borrower.pk), "")] * 3
    log = [f"{e.object_repr} {e.change_message}" for e in LogEntry.objects.all()]
    log += [f"{e} {e.record_keys} {e.path}" for e in AuditEntry.objects.all()]
    assert len(log) == 6
    assert not [line for line in log if "Zoë" in line or "CARD-77" in line]


@pytest.mark.django_db
def test_each_record_deleted_from_a_list_is_recorded():
    keys = [make_loan().pk for _ in range(3)]
    form = {"action": "delete_selected", "_selected_action": keys, "post": "yes"}
    assert desk(make_librarian()).post("/admin/circulation/loan/", form).status_code == 302
    assert not Loan.objects.exists()
    assert sorted(entries()) == [("changed", "circulation.loan", str(key), "") for key in sorted(keys)]


@pytest.mark.django_db
def test_rejected_form_is_not_recorded():
    make_borrower(card_number="P1")
    desk(make_librarian()).post(f"{BORROWERS}add/", {"card_number": "P1", "retention": "keep"})
    assert entries() == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address",
    ["/admin/people/borrower/{}/change/", "/admin/people/borrower/{}/delete/", "/api/v1/borrowers/{}/"],
)
def test_refusal_is_recorded(address):
    borrower = make_borrower()
    client = desk(make_user(ANALYSTS))
    assert client.get(address.format(borrower.pk)).status_code == 403
    assert entries() == [("refused", "people.borrower", str(borrower.pk), "")]


@on_postgresql
def test_refusal_of_a_hostile_path_is_recorded(database):
    key = "9\0" + "x" * 60
    assert api(make_user(ANALYSTS)).get(f"/api/v1/borrowers/{quote(key)}/").status_code == 403
    (entry,) = AuditEntry.objects.filter(action=AuditEntry.Action.REFUSED)
    assert entry.object_key == "9\ufffd" + "x" * 38
    assert entry.path == f"/api/v1/borrowers/9\ufffd{'x' * 60}/"


@pytest.mark.django_db
def test_anonymous_attempts_are_not_recorded(client):
    assert client.get("/api/v1/borrowers/").status_code == 401
    assert client.get(BORROWERS).status_code == 302
    assert entries() == []


@pytest.mark.django_db
def test_reads_of_loans_and_recommendations_are_recorded():
    loan, recommendation = make_loan(), make_recommendation()
    client = desk(make_librarian())
    client.get("/admin/circulation/loan/")
    client.get(f"/admin/classifier/recommendation/{recommendation.pk}/change/")
    client.get("/api/v1/loans/")
    client.get(f"/api/v1/recommendations/{recommendation.pk}/")
    assert entries() == [
        ("searched", "circulation.loan", "", str(loan.pk)),
        ("viewed", "classifier.recommendation", str(recommendation.pk), ""),
        ("searched", "circulation.loan", "", str(loan.pk)),
        ("viewed", "classifier.recommendation", str(recommendation.pk), ""),
    ]


@pytest.mark.django_db
def test_api_reads_and_changes_are_recorded(django_assert_num_queries):
    client = api(make_librarian())
    key = client.post("/api/v1/borrowers/", {"card_number": "P1"}, format="json").json()["id"]
    client.patch(f"/api/v1/borrowers/{key}/", {"name": "Zoë"}, format="json")
    client.get("/api/v1/borrowers/?search=P1")
    # Permissions are cached by now: the record and its entry remain.
    with django_assert_num_queries(2):
        client.get(f"/api/v1/borrowers/{key}/")
    assert entries() == [
        ("changed", "people.borrower", str(key), ""),
        ("changed", "people.borrower", str(key), ""),
        ("searched", "people.borrower", "", str(key)),
        ("viewed", "people.borrower", str(key), ""),
    ]


@both_databases
@pytest.mark.parametrize("where", ["admin", "api"])
def test_no_change_and_no_page_without_an_entry(database, where, monkeypatch):
    borrower = make_borrower(name="before")

    def fail(**fields):
        raise DatabaseError("disk full")

    monkeypatch.setattr(f"library.people.{where}.audit.write_entry", fail)
    client = desk(make_librarian(), raise_request_exception=False)
    if where == "admin":
        address = f"{BORROWERS}{borrower.pk}/change/"
        form = {"card_number": borrower.card_number, "name": "after", "retention": "keep"}
        response = client.post(address, form)
    else:
        address = f"/api/v1/borrowers/{borrower.pk}/"
        response = client.patch(address, {"name": "after"}, content_type="application/json")
    assert response.status_code == 500
    borrower.refresh_from_db()
    assert borrower.name == "before"
    assert client.get(address).status_code == 500


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/admin/login/", "/api/v1/token/"])
def test_sign_in_and_wrong_password_are_recorded(client, address):
    user = User.objects.create_user("root", password="right", is_staff=True)
    for name, password in (("root", "wrong"), ("a borrower's card", "wrong"), ("root", "right")):
        client.post(address, {"username": name, "password": password})
    rows = AuditEntry.objects.order_by("pk").values_list("action", "user_name", "object_key", "path")
    key = str(user.pk)
    assert list(rows) == [
        ("refused", "root", key, address),
        ("refused", "", "", address),
        ("login", "root", key, address),
    ]


@pytest.mark.django_db
def test_administrators_search_the_log_by_key_and_by_user():
    anonymous_entry(object_key=12)
    anonymous_entry(listed=[3, 12])
    anonymous_entry(object_key=3, user=make_librarian())
    client = desk(make_user(ADMINISTRATORS))
    log = "/admin/people/auditentry/"
    assert len(client.get(log).context["cl"].result_list) == 3
    assert [e.object_key for e in client.get(f"{log}?q=12").context["cl"].result_list] == ["", "12"]
    assert [e.object_key for e in client.get(f"{log}?q=librarian").context["cl"].result_list] == ["3"]


@pytest.mark.django_db
def test_log_is_read_only_in_the_admin():
    entry = anonymous_entry(listed=[314, 159])
    client = desk(User.objects.create_superuser("root"))
    assert "314, 159" in client.get(f"/admin/people/auditentry/{entry.pk}/change/").content.decode()
    for page in ("add/", f"{entry.pk}/delete/"):
        assert client.get(f"/admin/people/auditentry/{page}").status_code == 403
    assert client.post(f"/admin/people/auditentry/{entry.pk}/change/", {"path": "/x"}).status_code == 403
    assert AuditEntry.objects.get().path == "/"


@pytest.mark.django_db
@pytest.mark.parametrize("rows", [2, 30])
def test_log_takes_a_fixed_number_of_queries(rows, django_assert_num_queries):
    for number in range(rows):
        anonymous_entry(object_key=number, listed=[1, 2])
    client = desk(make_user(ADMINISTRATORS))
    # Session and user, permissions (own and the group's), the dates' bounds and days, the count, the rows.
    with django_assert_num_queries(6):
        client.get("/admin/people/auditentry/")


@pytest.mark.django_db
def test_entry_takes_one_query(django_assert_num_queries):
    # Cached per process, so it must not depend on the order of the tests.
    ContentType.objects.get_for_model(Borrower)
    borrower = make_borrower()
    client = desk(make_librarian())
    # Session and user, permissions (own and the group's), the borrower, the entry.
    with django_assert_num_queries(6):
        client.get(f"{BORROWERS}{borrower.pk}/change/")
