import json
import re
from pathlib import Path

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.core.management import CommandError, call_command

from library.admin_site import roles
from library.admin_site.roles import (
    ANALYSTS,
    CLIENTS,
    LIBRARIANS,
    MATRIX,
    ROLES,
    RolesError,
    ensure_roles,
)

pytestmark = pytest.mark.django_db

#: Models that identify a person or show what a person reads.
PERSONAL = ("people.borrower", "circulation.loan", "classifier.recommendation", "classifier.feedback")


def permissions_in(group):
    return {
        f"{p.content_type.app_label}.{p.codename}" for p in group.permissions.select_related("content_type")
    }


def documented_matrix():
    """Return the roles in the table of ROLES.md, and the actions of each by model."""
    text = (Path(roles.__file__).parent / "ROLES.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip(" `") for cell in line.strip().strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|") and not re.fullmatch(r"[|\s:-]+", line)
    ]
    (header, *body) = rows
    return header[1:], {row[0]: tuple(cell.replace("-", "") for cell in row[1:]) for row in body}


def test_document_matches_the_matrix():
    names, table = documented_matrix()
    assert names == list(ROLES)
    assert table == MATRIX


def test_librarians_manage_catalogue_borrowers_and_loans():
    permissions = permissions_in(ensure_roles()[LIBRARIANS])
    for model in (
        "catalogue.book",
        "catalogue.copy",
        "catalogue.category",
        "people.borrower",
        "circulation.loan",
    ):
        app, name = model.split(".")
        assert {f"{app}.{action}_{name}" for action in ("view", "add", "change", "delete")} <= permissions
    assert "classifier.view_suggestion" in permissions


@pytest.mark.parametrize("role", [ANALYSTS, CLIENTS])
def test_analysts_and_clients_have_no_personal_data(role):
    about_people = {f"{label.partition('.')[0]}.view_{label.partition('.')[2]}" for label in PERSONAL}
    permissions = permissions_in(ensure_roles()[role])
    assert "catalogue.view_book" in permissions
    assert not permissions & about_people
    assert not [name for name in permissions if ".view_" not in name]


def test_only_administrators_manage_users_and_audit_log():
    groups = ensure_roles()
    for role in ROLES[1:]:
        apps = {name.split(".")[0] for name in permissions_in(groups[role])}
        assert apps <= {"catalogue", "people", "circulation", "analytics", "classifier"}
        assert "people.view_auditentry" not in permissions_in(groups[role])
    assert {"auth.add_user", "people.view_auditentry"} <= permissions_in(groups[ROLES[0]])


def test_every_admin_model_is_in_the_matrix():
    assert {model._meta.label_lower for model in admin.site._registry} <= MATRIX.keys()


def test_creating_roles_again_only_adds_permissions():
    group = ensure_roles()[LIBRARIANS]
    before = permissions_in(group)
    group.permissions.add(Permission.objects.get(codename="view_user"))
    group.permissions.remove(Permission.objects.get(codename="change_book"))
    assert ensure_roles()[LIBRARIANS] == group
    assert Group.objects.count() == len(ROLES)
    assert permissions_in(group) == before | {"auth.view_user"}


def test_missing_permission_asks_to_migrate():
    Permission.objects.get(codename="change_book").delete()
    with pytest.raises(RolesError, match=r"Run: manage\.py migrate"):
        ensure_roles()
    assert not Group.objects.exists()


def test_query_count_is_independent_of_models(
    django_assert_num_queries,
):
    ensure_roles()
    # Two for the transaction, one for all permissions, and two for each role.
    with django_assert_num_queries(3 + 2 * len(ROLES)):
        ensure_roles()


def test_command_reports_the_groups(capsys):
    call_command("create_roles", "--json")
    counts = {role: Group.objects.get(name=role).permissions.count() for role in ROLES}
    assert json.loads(capsys.readouterr().out) == counts
    call_command("create_roles")
    (line,) = (line for line in capsys.readouterr().out.splitlines() if LIBRARIANS in line)
    assert line.split("│")[2].strip() == str(counts[LIBRARIANS])


def test_command_fails_with_a_message():
    Permission.objects.get(codename="change_book").delete()
    with pytest.raises(CommandError, match=r"Permissions for catalogue\.book are missing") as caught:
        call_command("create_roles")
    assert caught.value.returncode == 1
