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

#: What tells who somebody is, or what that person reads.
PERSONAL = ("people.borrower", "circulation.loan", "classifier.recommendation", "classifier.feedback")


def held(group):
    return {
        f"{p.content_type.app_label}.{p.codename}" for p in group.permissions.select_related("content_type")
    }


def written_matrix():
    """The table of ROLES.md: its roles, and by model what each may do."""
    text = (Path(roles.__file__).parent / "ROLES.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip(" `") for cell in line.strip().strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|") and not re.fullmatch(r"[|\s:-]+", line)
    ]
    (header, *body) = rows
    return header[1:], {row[0]: tuple(cell.replace("-", "") for cell in row[1:]) for row in body}


def test_the_document_shows_what_the_code_says():
    names, table = written_matrix()
    assert names == list(ROLES)
    assert table == MATRIX


def test_librarians_keep_the_catalogue_the_borrowers_and_the_loans():
    permissions = held(ensure_roles()[LIBRARIANS])
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
def test_who_need_not_know_who_reads_what_has_no_permission_on_it(role):
    about_people = {f"{label.partition('.')[0]}.view_{label.partition('.')[2]}" for label in PERSONAL}
    permissions = held(ensure_roles()[role])
    assert "catalogue.view_book" in permissions
    assert not permissions & about_people
    assert not [name for name in permissions if ".view_" not in name]


def test_only_administrators_make_users_and_read_the_audit_log():
    groups = ensure_roles()
    for role in ROLES[1:]:
        apps = {name.split(".")[0] for name in held(groups[role])}
        assert apps <= {"catalogue", "people", "circulation", "analytics", "classifier"}
        assert "people.view_auditentry" not in held(groups[role])
    assert {"auth.add_user", "people.view_auditentry"} <= held(groups[ROLES[0]])


def test_every_model_of_the_admin_has_its_row():
    assert {model._meta.label_lower for model in admin.site._registry} <= MATRIX.keys()


def test_making_the_roles_again_adds_what_is_missing_and_keeps_what_was_added():
    group = ensure_roles()[LIBRARIANS]
    before = held(group)
    group.permissions.add(Permission.objects.get(codename="view_user"))
    group.permissions.remove(Permission.objects.get(codename="change_book"))
    assert ensure_roles()[LIBRARIANS] == group
    assert Group.objects.count() == len(ROLES)
    assert held(group) == before | {"auth.view_user"}


def test_a_database_without_the_permissions_is_told_to_migrate():
    Permission.objects.get(codename="change_book").delete()
    with pytest.raises(RolesError, match=r"Run: manage\.py migrate"):
        ensure_roles()
    assert not Group.objects.exists()


def test_making_the_roles_takes_the_same_queries_however_many_models_there_are(
    django_assert_num_queries,
):
    ensure_roles()
    # A transaction's two, all permissions, and for each role the group and what it holds.
    with django_assert_num_queries(3 + 2 * len(ROLES)):
        ensure_roles()


def test_the_command_reports_the_groups(capsys):
    call_command("create_roles", "--json")
    counts = {role: Group.objects.get(name=role).permissions.count() for role in ROLES}
    assert json.loads(capsys.readouterr().out) == counts
    call_command("create_roles")
    assert f"librarians: {counts[LIBRARIANS]}" in capsys.readouterr().out.splitlines()


def test_the_command_fails_with_one_sentence():
    Permission.objects.get(codename="change_book").delete()
    with pytest.raises(CommandError, match=r"The permissions of catalogue\.book are missing") as caught:
        call_command("create_roles")
    assert caught.value.returncode == 1
