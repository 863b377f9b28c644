"""Rate limits, counted across all web processes."""

import subprocess
import sys

import pytest
from django.core.cache import caches
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.utils import timezone

from library.admin_site.roles import CLIENTS, LIBRARIANS
from library.rest.auth.throttles import CallerRateThrottle
from library.rest.auth.tokens import issue_token
from library.rest.scopes import Scope
from library.settings.api import checked_rates
from tests.e2e.processes import environment
from tests.logins import desk, make_user
from tests.problems import problem_of

pytestmark = pytest.mark.django_db

BOOKS, SCHEMA = "/api/v1/books/", "/api/schema/?format=json"


@pytest.fixture(autouse=True)
def moment(monkeypatch):
    """The time of all requests; ``moment[0] += 60`` advances it by a minute."""
    moment = [1_000_030.0]
    monkeypatch.setattr(CallerRateThrottle, "timer", lambda self: moment[0])
    return moment


@pytest.fixture(autouse=True)
def rates(settings):
    settings.API_RATES = {
        "anonymous": "2/minute",
        "token": "3/hour",
        "stats": "1/minute",
        "models": "1/minute",
    }
    yield settings.API_RATES
    caches["default"].clear()


def statuses(client, address=BOOKS, times=4):
    return [client.get(address).status_code for _ in range(times)]


def token_client(role):
    _row, token = issue_token(user=make_user(role), name="t", scopes=Scope.values, days=1, now=timezone.now())
    return Client(headers={"authorization": f"Bearer {token}"})


def test_anonymous_clients_are_counted_by_address(moment):
    assert statuses(Client()) == [401] * 4  # refused before it is counted, because refusing is cheap
    assert statuses(Client(), SCHEMA) == [200, 200, 429, 429]
    assert statuses(Client(REMOTE_ADDR="10.0.0.9"), SCHEMA, 1) == [200]
    response = Client().get(SCHEMA)
    assert problem_of(response, 429)["code"] == "throttled"
    assert response["Retry-After"] == "50"  # 1,000,030 is ten seconds after a whole minute
    moment[0] += 50
    assert statuses(Client(), SCHEMA, 3) == [200, 200, 429]


def test_tokens_are_counted_separately_and_sessions_are_not():
    client = token_client(CLIENTS)
    assert statuses(client) == [200, 200, 200, 429]
    assert statuses(token_client(LIBRARIANS), times=1) == [200]
    assert statuses(desk(make_user("analysts")), times=6) == [200] * 6


def test_scope_has_its_own_rate():
    client = token_client(LIBRARIANS)
    assert statuses(client, "/api/v1/runs/", 2) == [200, 429]
    assert statuses(client, times=1) == [200]
    assert statuses(desk(make_user("analysts")), "/api/v1/runs/", 2) == [200, 429]


def test_no_rates_means_no_limit(settings):
    settings.API_RATES = {}
    assert statuses(Client(), SCHEMA, 5) == [200] * 5


@pytest.mark.parametrize("wrong", [{"nobody": "1/minute"}, {"token": "many"}, {"token": "0/minute"}])
def test_invalid_rate_stops_startup(wrong):
    with pytest.raises(ImproperlyConfigured, match="API_RATES"):
        checked_rates(wrong)


def test_processes_share_the_counters(settings, tmp_path):
    """With the default cache: files in the data folder."""
    count = (
        "import django; django.setup()\n"
        "from django.core.cache import cache; print(cache.get_or_set('asked', 0), cache.incr('asked'))"
    )
    env = environment(tmp_path)
    outputs = [
        subprocess.run(
            [sys.executable, "-c", count], env=env, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert outputs == ["0 1\n", "1 2\n"]
