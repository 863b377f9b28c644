"""The audit log: what goes into it, and that nothing comes out."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from urllib.parse import quote

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from library.admin_site.roles import ADMINISTRATORS, ANALYSTS
from library.circulation.models import Loan
from library.people import tasks
from library.people.models import AuditEntry, Borrower
from library.people.selectors import entries_about
from library.people.services.audit import prune_audit, system_user, write_entry
from tests.classifier.factories import make_recommendation
from tests.databases import both_databases, on_postgresql, undone
from tests.factories import NOW, make_borrower, make_loan
from tests.logins import api, desk, make_librarian, make_user

BORROWERS = "/admin/people/borrower/"


def entries():
    """What the log says, without who and when."""
    fields = ("action", "object_type", "object_key", "listed")
    return [tuple(getattr(entry, name) for name in fields) for entry in AuditEntry.objects.order_by("pk")]


def anonymous_entry(**fields):
    return write_entry(
        **{"user": None, "action": AuditEntry.Action.VIEWED, "path": "/", "now": NOW, "model": Borrower}
        | fields
    )


@both_databases
@pytest.mark.parametrize("age", [timedelta(0), timedelta(days=179)])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE people_auditentry SET user_name = 'x'",
        "UPDATE people_auditentry SET path = '/y' WHERE id = {pk}",
        "DELETE FROM people_auditentry",
        "DELETE FROM people_auditentry WHERE id = {pk}",
    ],
)
def test_the_database_refuses_to_change_an_entry_or_delete_a_young_one(database, statement, age):
    entry = anonymous_entry(object_key=7, now=timezone.now() - age)
    with (
        pytest.raises(DatabaseError, match="The audit log is append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement.format(pk=entry.pk))
    assert entries() == [("viewed", "people.borrower", "7", "")]


@pytest.mark.parametrize(
    ("database", "statement"),
    [
        (
            "sqlite",
            "REPLACE INTO people_auditentry "
            "SELECT id, at, '', '', action, '', '', '', '' FROM people_auditentry",
        ),
        ("postgresql", "TRUNCATE people_auditentry"),
    ],
    indirect=["database"],
)
def test_nor_does_it_let_an_entry_be_replaced_or_the_table_emptied(database, statement):
    anonymous_entry(object_key=7)
    with (
        pytest.raises(DatabaseError, match="The audit log is append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert entries() == [("viewed", "people.borrower", "7", "")]


@both_databases
def test_an_old_entry_is_not_changed_either(database):
    anonymous_entry(now=timezone.now() - timedelta(days=4000))
    with pytest.raises(DatabaseError, match="neither changed nor deleted"), transaction.atomic():
        AuditEntry.objects.update(path="/y")


@both_databases
@pytest.mark.parametrize(("months", "kept"), [(0, 5), (6, 1), (24, 3)])
def test_pruning_removes_the_entries_that_are_too_old_and_says_so(database, settings, months, kept):
    settings.AUDIT_MONTHS = months
    now = timezone.now()
    days = [1, 183, 729, 731, 2000]
    for age in days:
        anonymous_entry(object_key=age, now=now - timedelta(days=age))
    assert prune_audit(now=now) == {"removed": 5 - kept}
    told = AuditEntry.objects.order_by("pk").values_list("object_key", "user_name", "path")
    by_whom = [] if months == 0 else [("", system_user(), "manage.py prune_audit")]
    assert list(told) == [(str(age), "", "/") for age in days[:kept]] + by_whom
    assert tasks.prune_audit() == {"removed": 0}


@both_databases
def test_a_clock_that_is_wrong_prunes_no_young_entry(database):
    anonymous_entry(now=timezone.now())
    with pytest.raises(DatabaseError, match="younger than 180 days"), transaction.atomic():
        prune_audit(now=timezone.now() + timedelta(days=4000))
    assert len(entries()) == 1


@pytest.mark.django_db
def test_the_command_prunes(capsys):
    anonymous_entry(now=timezone.now() - timedelta(days=1000))
    call_command("prune_audit", "--json")
    assert json.loads(capsys.readouterr().out) == {"removed": 1}


@pytest.mark.parametrize("months", ["-1", "1", "5"])
def test_fewer_months_than_the_database_keeps_stop_the_start(months):
    code = "import library.settings.base"
    environment = os.environ | {"AUDIT_MONTHS": months}
    started = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert started.returncode == 1
    assert "AUDIT_MONTHS" in started.stderr.splitlines()[-1]


@pytest.mark.django_db
def test_data_dumped_by_a_command_are_written_down(capsys):
    make_borrower(name="Zoë")
    call_command("dumpdata", "people.Borrower")
    assert "Zoë" in json.loads(capsys.readouterr().out)[0]["fields"]["name"]
    (entry,) = AuditEntry.objects.all()
    assert (entry.action, entry.user_name, entry.user_key) == ("exported", system_user(), "")
    assert entry.path == "manage.py dumpdata people.Borrower"


@both_databases
def test_an_entry_of_work_that_is_undone_is_undone_with_it(database):
    with undone():
        anonymous_entry()
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db
def test_a_user_is_kept_as_text_and_outlives_the_account():
    user = make_librarian()
    key = str(user.pk)
    anonymous_entry(user=user)
    user.delete()
    assert AuditEntry.objects.values_list("user_key", "user_name").get() == (key, "librarian")


@pytest.mark.django_db
@given(listed=st.lists(st.integers(1, 10**6), max_size=200), key=st.integers(1, 10**6))
def test_a_record_is_found_in_every_list_that_showed_it_and_in_no_other(listed, key):
    with undone():
        entry = anonymous_entry(listed=listed)
        assert list(entries_about(object_key=str(key))) == ([entry] if key in listed else [])
        for shown in listed:
            assert list(entries_about(object_key=str(shown))) == [entry]


@pytest.mark.django_db
def test_what_follows_the_question_mark_is_left_out_and_a_long_address_cut():
    assert anonymous_entry(path=f"/a/?q=Ann{'x' * 600}").path == "/a/"
    assert len(anonymous_entry(path="/" * 600).path) == 500


@pytest.mark.django_db
def test_looking_at_borrowers_in_the_admin_is_written_down():
    one, other = make_borrower(card_number="P1"), make_borrower(card_number="P2")
    client = desk(make_librarian())
    client.get(BORROWERS)
    client.get(f"{BORROWERS}{one.pk}/change/")
    client.get(f"{BORROWERS}{one.pk}/history/")
    client.get(f"{BORROWERS}{other.pk}/delete/")
    assert entries() == [
        ("searched", "people.borrower", "", f" {one.pk} {other.pk} "),
        ("viewed", "people.borrower", str(one.pk), ""),
        ("viewed", "people.borrower", str(one.pk), ""),
        ("viewed", "people.borrower", str(other.pk), ""),
    ]
    assert set(AuditEntry.objects.values_list("user_name", flat=True)) == {"librarian"}
    assert AuditEntry.objects.last().path == BORROWERS


@pytest.mark.django_db
def test_a_page_that_is_not_there_shows_nobody():
    assert desk(make_librarian()).get(f"{BORROWERS}99/change/").status_code == 302
    assert entries() == []


@pytest.mark.django_db
def test_choosing_a_borrower_by_typing_is_written_down():
    make_borrower(card_number="P1")
    query = "app_label=circulation&model_name=loan&field_name=borrower&term=P1"
    assert desk(make_librarian()).get(f"/admin/autocomplete/?{query}").json()["results"]
    assert entries() == [("searched", "people.borrower", "", "")]


@pytest.mark.django_db
def test_changes_in_the_admin_are_written_down_without_what_was_written():
    client = desk(make_librarian())
    form = {"card_number": "CARD-77", "name": "Zoë", "retention": "keep"}
    assert client.post(f"{BORROWERS}add/", form).status_code == 302
    borrower = Borrower.objects.get()
    assert client.post(f"{BORROWERS}{borrower.pk}/change/", form | {"name": "Zoë Q"}).status_code == 302
    assert client.post(f"{BORROWERS}{borrower.pk}/delete/", {"post": "yes"}).status_code == 302
    assert entries() == [("changed", "people.borrower", str(borrower.pk), "")] * 3
    log = [f"{e.object_repr} {e.change_message}" for e in LogEntry.objects.all()]
    log += [f"{e} {e.listed} {e.path}" for e in AuditEntry.objects.all()]
    assert len(log) == 6
    assert not [line for line in log if "Zoë" in line or "CARD-77" in line]


@pytest.mark.django_db
def test_records_deleted_from_the_list_are_written_down_each():
    keys = [make_loan().pk for _ in range(3)]
    form = {"action": "delete_selected", "_selected_action": keys, "post": "yes"}
    assert desk(make_librarian()).post("/admin/circulation/loan/", form).status_code == 302
    assert not Loan.objects.exists()
    assert sorted(entries()) == [("changed", "circulation.loan", str(key), "") for key in sorted(keys)]


@pytest.mark.django_db
def test_a_form_that_is_refused_changes_nothing_and_says_nothing():
    make_borrower(card_number="P1")
    desk(make_librarian()).post(f"{BORROWERS}add/", {"card_number": "P1", "retention": "keep"})
    assert entries() == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address",
    ["/admin/people/borrower/{}/change/", "/admin/people/borrower/{}/delete/", "/api/v1/borrowers/{}/"],
)
def test_a_refusal_is_written_down(address):
    borrower = make_borrower()
    client = desk(make_user(ANALYSTS))
    assert client.get(address.format(borrower.pk)).status_code == 403
    assert entries() == [("refused", "people.borrower", str(borrower.pk), "")]


@on_postgresql
def test_a_refusal_is_written_down_whatever_the_address_holds(database):
    key = "9\0" + "x" * 60
    assert api(make_user(ANALYSTS)).get(f"/api/v1/borrowers/{quote(key)}/").status_code == 403
    (entry,) = AuditEntry.objects.filter(action=AuditEntry.Action.REFUSED)
    assert entry.object_key == "9\ufffd" + "x" * 38
    assert entry.path == f"/api/v1/borrowers/9\ufffd{'x' * 60}/"


@pytest.mark.django_db
def test_what_strangers_try_is_not_written_down(client):
    assert client.get("/api/v1/borrowers/").status_code == 401
    assert client.get(BORROWERS).status_code == 302
    assert entries() == []


@pytest.mark.django_db
def test_loans_and_recommendations_tell_of_borrowers_and_are_written_down_too():
    loan, recommendation = make_loan(), make_recommendation()
    client = desk(make_librarian())
    client.get("/admin/circulation/loan/")
    client.get(f"/admin/classifier/recommendation/{recommendation.pk}/change/")
    client.get("/api/v1/loans/")
    client.get(f"/api/v1/recommendations/{recommendation.pk}/")
    assert entries() == [
        ("searched", "circulation.loan", "", f" {loan.pk} "),
        ("viewed", "classifier.recommendation", str(recommendation.pk), ""),
        ("searched", "circulation.loan", "", f" {loan.pk} "),
        ("viewed", "classifier.recommendation", str(recommendation.pk), ""),
    ]


@pytest.mark.django_db
def test_the_api_writes_down_looks_and_changes(django_assert_num_queries):
    client = api(make_librarian())
    key = client.post("/api/v1/borrowers/", {"card_number": "P1"}, format="json").json()["id"]
    client.patch(f"/api/v1/borrowers/{key}/", {"name": "Zoë"}, format="json")
    client.get("/api/v1/borrowers/?search=P1")
    # Permissions (own and the group's) are known by now: the record and its entry are left.
    with django_assert_num_queries(2):
        client.get(f"/api/v1/borrowers/{key}/")
    assert entries() == [
        ("changed", "people.borrower", str(key), ""),
        ("changed", "people.borrower", str(key), ""),
        ("searched", "people.borrower", "", f" {key} "),
        ("viewed", "people.borrower", str(key), ""),
    ]


@both_databases
@pytest.mark.parametrize("where", ["admin", "api"])
def test_without_its_entry_no_change_stays_and_no_page_is_sent(database, where, monkeypatch):
    borrower = make_borrower(name="before")

    def fail(**fields):
        raise DatabaseError("disk full")

    monkeypatch.setattr(f"library.people.{where}.audit.write_entry", fail)
    client = desk(make_librarian(), raise_request_exception=False)
    if where == "admin":
        address = f"{BORROWERS}{borrower.pk}/change/"
        form = {"card_number": borrower.card_number, "name": "after", "retention": "keep"}
        answer = client.post(address, form)
    else:
        address = f"/api/v1/borrowers/{borrower.pk}/"
        answer = client.patch(address, {"name": "after"}, content_type="application/json")
    assert answer.status_code == 500
    borrower.refresh_from_db()
    assert borrower.name == "before"
    assert client.get(address).status_code == 500


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/admin/login/", "/api/v1/token/"])
def test_signing_in_is_written_down_and_so_is_a_wrong_password(client, address):
    user = User.objects.create_user("root", password="right", is_staff=True)
    for name, password in (("root", "wrong"), ("a reader's card", "wrong"), ("root", "right")):
        client.post(address, {"username": name, "password": password})
    told = AuditEntry.objects.order_by("pk").values_list("action", "user_name", "object_key", "path")
    key = str(user.pk)
    assert list(told) == [
        ("refused", "root", key, address),
        ("refused", "", "", address),
        ("login", "root", key, address),
    ]


@pytest.mark.django_db
def test_administrators_read_the_log_and_find_a_record_by_its_key():
    anonymous_entry(object_key=12)
    anonymous_entry(listed=[3, 12])
    anonymous_entry(object_key=3, user=make_librarian())
    client = desk(make_user(ADMINISTRATORS))
    log = "/admin/people/auditentry/"
    assert len(client.get(log).context["cl"].result_list) == 3
    assert [e.object_key for e in client.get(f"{log}?q=12").context["cl"].result_list] == ["", "12"]
    assert [e.object_key for e in client.get(f"{log}?q=librarian").context["cl"].result_list] == ["3"]


@pytest.mark.django_db
def test_nobody_changes_the_log_in_the_admin():
    entry = anonymous_entry()
    client = desk(User.objects.create_superuser("root"))
    assert client.get(f"/admin/people/auditentry/{entry.pk}/change/").status_code == 200
    for page in ("add/", f"{entry.pk}/delete/"):
        assert client.get(f"/admin/people/auditentry/{page}").status_code == 403
    assert client.post(f"/admin/people/auditentry/{entry.pk}/change/", {"path": "/x"}).status_code == 403
    assert AuditEntry.objects.get().path == "/"


@pytest.mark.django_db
@pytest.mark.parametrize("rows", [2, 30])
def test_the_log_takes_no_more_queries_for_more_rows(rows, django_assert_num_queries):
    for number in range(rows):
        anonymous_entry(object_key=number, listed=[1, 2])
    client = desk(make_user(ADMINISTRATORS))
    # Session and user, permissions (own and the group's), the dates' bounds and days, the count, the rows.
    with django_assert_num_queries(6):
        client.get("/admin/people/auditentry/")


@pytest.mark.django_db
def test_a_borrowers_page_takes_one_query_more_for_its_entry(django_assert_num_queries):
    # Asked for once a process, so counted or not by the order of the tests.
    ContentType.objects.get_for_model(Borrower)
    borrower = make_borrower()
    client = desk(make_librarian())
    # Session and user, permissions (own and the group's), the borrower, the entry.
    with django_assert_num_queries(6):
        client.get(f"{BORROWERS}{borrower.pk}/change/")
