"""Health, status and metrics, without personal data."""

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


def test_live_needs_no_database(client):
    response = client.get("/health/live")  # the test has no database
    assert (response.status_code, response.content) == (200, b"ok")
    assert "no-store" in response["Cache-Control"]
    assert client.post("/health/live").status_code == 405


@both_databases
def test_ready_is_200(database, client, django_assert_max_num_queries):
    with django_assert_max_num_queries(4):
        response = client.get(READY)
    assert (response.status_code, response.json()) == (200, {"status": "ok", "missing": []})


@pytest.fixture
def no_database(django_db_blocker):
    """A database at a closed port."""
    url = "postgres://library:secret@127.0.0.1:1/library"
    with django_db_blocker.unblock(), default_database(dj_database_url.parse(url)):
        yield


def test_not_ready_is_503_with_the_failed_checks(no_database, client):
    response = client.get(READY)
    assert (response.status_code, response.json()["missing"]) == (503, ["database", "migrations"])
    assert "secret" not in response.content.decode()
    assert client.get("/health/live").status_code == 200


@pytest.mark.parametrize("headers", [{}, {"idempotency-key": "a"}])
def test_api_without_its_database_is_503(no_database, client, headers):
    headers |= {"authorization": "Bearer lib_x"}
    for send in (client.get, client.post):
        response = send("/api/v1/books/", headers=headers)
        document = problem_of(response, 503)
        assert (document["code"], response["Retry-After"]) == ("database_unavailable", "5")
        assert "127.0.0.1" not in str(document)


@pytest.mark.django_db
def test_unapplied_migration_is_not_ready(client):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'rest' AND name = '0001_initial'")
    assert client.get(READY).json() == {"status": "unavailable", "missing": ["migrations"]}


def python(code, env):
    """Return the output of a Python process."""
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_unavailable_broker_is_not_ready(tmp_path):
    code = (
        "import django; django.setup()\nimport library.celery\n"
        "from library.rest.operations.health import broker_answers; print(broker_answers())"
    )
    for url, output in (("redis://:secret@127.0.0.1:1/0", "False"), ("filesystem://", "True")):
        env = environment(tmp_path, CELERY_BROKER_URL=url)
        done = subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == output


@pytest.mark.django_db
def test_status_has_version_counts_and_model(django_assert_num_queries):
    make_loan()
    make_run(status="queued")
    version = make_version(state="active")
    client = api(make_user(ANALYSTS))
    with django_assert_num_queries(7):
        status = client.get("/api/v1/status/").json()
    assert status["version"]
    assert status["counts"] == {
        "catalogue": {"books": 1, "copies": 1},
        "people": {"borrowers": 1},
        "circulation": {"open_loans": 1, "active_holds": 0},
        "classifier": {"queued_runs": 1, "running_runs": 0, "active_version": version.name},
    }
    assert api().get("/api/v1/status/").status_code == 401


@pytest.mark.django_db
def test_metrics_count_requests_without_personal_data(client):
    borrower = make_borrower(card_number="CARD-OF-ZYX", name="Zyxwvut")
    librarian = desk(make_user(LIBRARIANS))
    assert librarian.get(f"/api/v1/borrowers/{borrower.pk}/?search=Zyxwvut").status_code == 200
    response = client.get("/metrics")
    text = response.content.decode()
    assert (response.status_code, "CARD-OF-ZYX" in text, "Zyxwvut" in text) == (200, False, False)
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
def test_metrics_are_limited_to_the_configured_networks(client, settings, networks, address, status):
    settings.METRICS_NETWORKS = networks
    assert client.get("/metrics", REMOTE_ADDR=address).status_code == status


def test_invalid_network_stops_startup():
    with pytest.raises(ImproperlyConfigured, match="METRICS_NETWORKS"):
        checked_networks(["everywhere"])


def test_processes_share_the_metrics(tmp_path):
    folder = tmp_path / "metrics"
    folder.mkdir()
    code = (
        "import django; django.setup()\n"
        "from django.test import Client; Client().get('/health/live', headers={'host': 'localhost'})"
    )
    env = environment(tmp_path / "data", PROMETHEUS_MULTIPROC_DIR=str(folder))
    for _ in range(2):
        python(code, env)
    count = (
        "from prometheus_client import CollectorRegistry, multiprocess, generate_latest\n"
        "registry = CollectorRegistry(); multiprocess.MultiProcessCollector(registry)\n"
        "print(generate_latest(registry).decode())"
    )
    name = "django_http_responses_total_by_status_view_method_total"
    assert f'{name}{{method="GET",status="200",view="health-live"}} 2.0' in python(count, env)


def test_readiness_has_three_checks():
    assert list(health.CHECKS) == ["database", "migrations", "broker"]
    assert os.environ.get("PROMETHEUS_MULTIPROC_DIR") is None
