"""Versions that were there before they had states."""

import json

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from classifier.models import ModelVersion
from tests.conftest import old_database


@pytest.fixture(params=["sqlite", "postgresql"])
def before_states(request, tmp_path, django_db_setup, django_db_blocker):
    """A database as it was before, empty."""
    with django_db_blocker.unblock(), old_database(request, tmp_path, "classifier", "0004"):
        yield


def test_the_active_one_stays_it_those_before_it_are_retired_and_a_rollback_knows_its_way(before_states):
    figures = json.dumps({"fused": {"accuracy": 0.5}})
    rows = [
        (name, f"2026-01-0{day} 00:00:00+00:00", name == "c", figures)
        for day, name in enumerate("abcd", start=1)
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO classifier_modelversion (name, created_at, active, metrics, seed, config) "
            "VALUES (%s, %s, %s, %s, 0, '{}')",
            rows,
        )
    call_command("migrate", "classifier", verbosity=0)
    kept = ModelVersion.objects.order_by("name").values_list("name", "state", "previous__name")
    assert list(kept) == [
        ("a", "retired", None),
        ("b", "retired", None),
        ("c", "active", "b"),
        ("d", "candidate", None),
    ]
    active = ModelVersion.objects.get(name="c")
    assert (active.activated_at, active.metrics) == (active.created_at, json.loads(figures))
