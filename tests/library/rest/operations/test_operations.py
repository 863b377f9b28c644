"""Health, state and metrics: what is told, and that nobody is told of."""

import os
import subprocess
import sys

import dj_database_url
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from prometheus_client.parser import text_string_to_metric_families

from library.admin_site.roles import ANALYSTS, LIBRARIANS
from library.rest.operations import health
from library.settings.api import checked_networks
from tests.classifier.factories import make_run, make_version
from tests.conftest import default_database
from tests.databases import both_databases
from tests.e2e.processes import environment
from tests.factories import make_borrower, make_loan
from tests.logins import api, desk, make_user
from tests.problems import problem_of

READY = "/health/ready"


def test_a_process_lives_whatever_else_does_not(client):
    answer = client.get("/health/live")  # the test has no database
    assert (answer.status_code, answer.content) == (200, b"ok")
    assert "no-store" in answer["Cache-Control"]
    assert client.post("/health/live").status_code == 405


@both_databases
def test_a_library_that_can_serve_says_so(database, client, django_assert_max_num_queries):
    with django_assert_max_num_queries(4):
        answer = client.get(READY)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "missing": []})


@pytest.fixture
def no_database(django_db_blocker):
    """A server that nobody is at."""
    url = "postgres://library:secret@127.0.0.1:1/library"
    with django_db_blocker.unblock(), default_database(dj_database_url.parse(url)):
        yield


def test_what_is_missing_is_named_and_nothing_else(no_database, client):
    answer = client.get(READY)
    assert (answer.status_code, answer.json()["missing"]) == (503, ["database", "migrations"])
    assert "secret" not in answer.content.decode()
    assert client.get("/health/live").status_code == 200


@pytest.mark.parametrize("headers", [{}, {"idempotency-key": "a"}])
def test_without_its_database_the_api_asks_to_come_again(no_database, client, headers):
    headers |= {"authorization": "Bearer lib_x"}
    for ask in (client.get, client.post):
        answer = ask("/api/v1/books/", headers=headers)
        document = problem_of(answer, 503)
        assert (document["code"], answer["Retry-After"]) == ("database_away", "5")
        assert "127.0.0.1" not in str(document)


@pytest.mark.django_db
def test_a_migration_that_is_not_applied_is_missing(client):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'rest' AND name = '0004_kept_answers'")
    assert client.get(READY).json() == {"status": "unavailable", "missing": ["migrations"]}


def python(code, env):
    """What a process prints."""
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_broker_that_is_away_is_missing(tmp_path):
    ask = (
        "import django; django.setup()\nimport library.celery\n"
        "from library.rest.operations.health import broker_answers; print(broker_answers())"
    )
    for address, said in (("redis://:secret@127.0.0.1:1/0", "False"), ("filesystem://", "True")):
        env = environment(tmp_path, CELERY_BROKER_URL=address)
        done = subprocess.run(
            [sys.executable, "-c", ask], env=env, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == said


@pytest.mark.django_db
def test_the_state_names_the_version_the_numbers_and_the_model(django_assert_num_queries):
    make_loan()
    make_run(status="queued")
    version = make_version(state="active")
    client = api(make_user(ANALYSTS))
    with django_assert_num_queries(7):
        told = client.get("/api/v1/status/").json()
    assert told["version"]
    assert told["figures"] == {
        "catalogue": {"books": 1, "copies": 1},
        "people": {"borrowers": 1},
        "circulation": {"open_loans": 1, "active_holds": 0},
        "classifier": {"queued_runs": 1, "running_runs": 0, "active_version": version.name},
    }
    assert api().get("/api/v1/status/").status_code == 401


@pytest.mark.django_db
def test_metrics_count_requests_by_endpoint_and_name_nobody(client):
    borrower = make_borrower(card_number="CARD-OF-ZYX", name="Zyxwvut")
    librarian = desk(make_user(LIBRARIANS))
    assert librarian.get(f"/api/v1/borrowers/{borrower.pk}/?search=Zyxwvut").status_code == 200
    answer = client.get("/metrics")
    text = answer.content.decode()
    assert (answer.status_code, "CARD-OF-ZYX" in text, "Zyxwvut" in text) == (200, False, False)
    families = {family.name: family for family in text_string_to_metric_families(text)}
    views = families["django_http_requests_total_by_view_transport_method"].samples
    assert {"view": "borrower-detail", "transport": "http", "method": "GET"} in [row.labels for row in views]
    assert families["library_people_borrowers"].samples[0].value == 1
    labels = {name for family in families.values() for row in family.samples for name in row.labels}
    assert labels <= {
        "view", "transport", "method", "status", "version", "le", "charset", "templatename", "type",
        "implementation", "major", "minor", "patchlevel", "generation", "application", "view_name",
    }  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("networks", "address", "status"),
    [
        (["127.0.0.0/8"], "127.0.0.1", 200),
        (["127.0.0.0/8", "::1"], "::1", 200),
        (["10.0.0.0/8"], "127.0.0.1", 403),
        ([], "127.0.0.1", 403),
    ],
)
def test_metrics_are_for_the_networks_that_the_setting_names(client, settings, networks, address, status):
    settings.METRICS_NETWORKS = networks
    assert client.get("/metrics", REMOTE_ADDR=address).status_code == status


def test_a_network_that_is_none_stops_the_start():
    with pytest.raises(ImproperlyConfigured, match="METRICS_NETWORKS"):
        checked_networks(["everywhere"])


def test_several_web_processes_are_counted_together(tmp_path):
    folder = tmp_path / "metrics"
    folder.mkdir()
    ask = (
        "import django; django.setup()\n"
        "from django.test import Client; Client().get('/health/live', headers={'host': 'localhost'})"
    )
    env = environment(tmp_path / "data", PROMETHEUS_MULTIPROC_DIR=str(folder))
    for _ in range(2):
        python(ask, env)
    count = (
        "from prometheus_client import CollectorRegistry, multiprocess, generate_latest\n"
        "registry = CollectorRegistry(); multiprocess.MultiProcessCollector(registry)\n"
        "print(generate_latest(registry).decode())"
    )
    name = "django_http_responses_total_by_status_view_method_total"
    assert f'{name}{{method="GET",status="200",view="health-live"}} 2.0' in python(count, env)


def test_the_checks_are_the_three():
    assert list(health.CHECKS) == ["database", "migrations", "broker"]
    assert os.environ.get("PROMETHEUS_MULTIPROC_DIR") is None
