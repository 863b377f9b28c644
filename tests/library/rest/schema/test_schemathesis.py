"""Requests generated from the schema, by every role, cause no internal error and match the schema."""

from itertools import cycle, repeat

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import FailureGroup, load_all_checks
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from library.admin_site.roles import ADMINISTRATORS, ROLES
from library.rest.auth.tokens import issue_token
from library.rest.scopes import Scope
from tests.databases import both_databases, on_postgresql, rolled_back
from tests.factories import make_book, make_category
from tests.logins import make_user
from tests.test_query_counts import add_rows

load_all_checks()
#: All checks except this one: a schema cannot express that a referenced record must exist.
EXCLUDED = [positive_data_acceptance]
#: In a URL, many random invalid values become valid: a list of one, an empty string.
EXCLUDED_AT_RANDOM = [*EXCLUDED, negative_data_rejection]
#: Per endpoint: this many valid requests, and as many invalid ones.
LONG_EXAMPLES = 10
ANONYMOUS = "anonymous"


@pytest.fixture
def api_schema(database):
    """The schema of a library with rows of every kind; its requests keep the test's transaction open."""
    add_rows(make_book(category=make_category(parent=make_category())), 1, 4)
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield schemathesis.openapi.from_wsgi("/api/schema/?format=json", get_wsgi_application())
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def headers(api_schema):
    """The headers of each role, and of an anonymous client."""
    issued = {ANONYMOUS: {}}
    for role in ROLES:
        _row, token = issue_token(
            user=make_user(role), name="t", scopes=Scope.values, days=1, now=timezone.now()
        )
        issued[role] = {"Authorization": f"Bearer {token}"}
    return issued


def send_requests(operation, mode, headers, *, examples, excluded, derandomize=False):
    """Send `examples` requests; return the number sent, and the failures."""
    sent, failures = 0, []

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=examples,
        phases=[Phase.generate],
        derandomize=derandomize,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def send(case):
        nonlocal sent
        sent += 1
        with rolled_back():
            try:
                case.call_and_validate(headers=headers, excluded_checks=excluded)
            except FailureGroup as group:
                failures.extend(f"{type(failure).__name__} {failure}" for failure in group.exceptions)

    send()
    return sent, failures


def send_to_all(api_schema, senders, **options):
    """Send valid and invalid requests to every endpoint, by the senders in turn."""
    sent, failures_by_operation = 0, {}
    for result in api_schema.get_all_operations():
        operation = result.ok()
        has_values = operation.body or operation.query or operation.path_parameters
        # Requests without values cannot be invalid.
        for mode in GenerationMode if has_values else [GenerationMode.POSITIVE]:
            number, failures = send_requests(operation, mode, next(senders), **options)
            sent += number
            if failures:
                failures_by_operation[operation.label, mode.value] = failures
    assert failures_by_operation == {}
    return sent


@on_postgresql
def test_every_endpoint_once_with_the_roles_in_turn(api_schema, headers):
    senders = cycle([headers[ADMINISTRATORS], *headers.values()])
    assert send_to_all(api_schema, senders, examples=1, excluded=EXCLUDED, derandomize=True) > 150


@pytest.mark.slow
@both_databases
@pytest.mark.parametrize("role", [*ROLES, ANONYMOUS])
def test_thousands_of_requests_by_each_role(api_schema, headers, role):
    sent = send_to_all(api_schema, repeat(headers[role]), examples=LONG_EXAMPLES, excluded=EXCLUDED_AT_RANDOM)
    print(f"{sent} requests by {role}")
    assert sent >= 10_000 / len(ROLES)
