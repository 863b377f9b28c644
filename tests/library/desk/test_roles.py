import json

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import CommandError, call_command

from library.desk.roles import LIBRARIAN_PERMISSIONS, RolesError, ensure_roles

pytestmark = pytest.mark.django_db


def held(group):
    return {
        f"{p.content_type.app_label}.{p.codename}" for p in group.permissions.select_related("content_type")
    }


def test_librarians_keep_the_catalogue_the_borrowers_and_the_loans():
    permissions = held(ensure_roles())
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


def test_librarians_make_no_users_and_change_no_model():
    permissions = held(ensure_roles())
    assert {name.split(".")[0] for name in permissions} == {
        "catalogue",
        "people",
        "circulation",
        "classifier",
    }
    assert "classifier.change_modelversion" not in permissions


def test_making_the_roles_again_adds_what_is_missing_and_keeps_what_was_added():
    group = ensure_roles()
    extra = Permission.objects.get(codename="view_user")
    group.permissions.add(extra)
    group.permissions.remove(Permission.objects.get(codename="change_book"))
    before = sum(map(len, LIBRARIAN_PERMISSIONS.values()))
    assert ensure_roles() == group
    assert Group.objects.count() == 1
    assert group.permissions.count() == before + 1
    assert extra in group.permissions.all()


def test_a_database_without_the_permissions_is_told_to_migrate():
    Permission.objects.get(codename="change_book").delete()
    with pytest.raises(RolesError, match=r"Run: manage\.py migrate"):
        ensure_roles()
    assert not Group.objects.exists()


def test_the_command_reports_the_group(capsys):
    call_command("create_roles", "--json")
    count = Group.objects.get().permissions.count()
    assert json.loads(capsys.readouterr().out) == {"group": "librarians", "permissions": count}


def test_the_command_fails_with_one_sentence():
    Permission.objects.get(codename="change_book").delete()
    with pytest.raises(CommandError, match=r"The permissions of catalogue\.book are missing") as caught:
        call_command("create_roles")
    assert caught.value.returncode == 1
