"""What the schema allows, and what it does not, sent to every endpoint as every role.

No answer may be a fault, and none may be other than the schema says.
"""

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
from tests.databases import both_databases, on_postgresql, undone
from tests.factories import make_book, make_category
from tests.logins import make_user
from tests.test_query_counts import add_rows

load_all_checks()
#: All checks but this: a record that is referred to has to be there, which a schema cannot say.
EXCLUDED = [positive_data_acceptance]
#: At random, much that is not valid becomes valid in an address: a list of one, an empty text.
EXCLUDED_AT_RANDOM = [*EXCLUDED, negative_data_rejection]
#: Of each endpoint, once as the schema has it and once not.
LONG_EXAMPLES = 10
STRANGER = "stranger"


@pytest.fixture
def described(database):
    """The schema of a library with some of everything; its requests keep the test's transaction open."""
    add_rows(make_book(category=make_category(parent=make_category())), 1, 4)
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield schemathesis.openapi.from_wsgi("/api/schema/?format=json", get_wsgi_application())
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def headers(described):
    """What each role sends, and a stranger."""
    issued = {STRANGER: {}}
    for role in ROLES:
        _row, token = issue_token(
            user=make_user(role), name="t", scopes=Scope.values, days=1, now=timezone.now()
        )
        issued[role] = {"Authorization": f"Bearer {token}"}
    return issued


def ask(operation, mode, headers, *, examples, excluded, derandomize=False):
    """Send so many requests; return how many were sent, and what was wrong with the answers."""
    sent, wrong = 0, []

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
        with undone():
            try:
                case.call_and_validate(headers=headers, excluded_checks=excluded)
            except FailureGroup as group:
                wrong.extend(f"{type(failure).__name__} {failure}" for failure in group.exceptions)

    send()
    return sent, wrong


def ask_all(described, senders, **how):
    """Ask every endpoint for what is valid and for what is not, by the senders in turn."""
    sent, wrong = 0, {}
    for found in described.get_all_operations():
        operation = found.ok()
        has_values = operation.body or operation.query or operation.path_parameters
        # What there is nothing of to get wrong is sent as it should be only.
        for mode in GenerationMode if has_values else [GenerationMode.POSITIVE]:
            number, failures = ask(operation, mode, next(senders), **how)
            sent += number
            if failures:
                wrong[operation.label, mode.value] = failures
    assert wrong == {}
    return sent


@on_postgresql
def test_a_request_of_each_kind_to_every_endpoint_by_one_role_after_the_other(described, headers):
    senders = cycle([headers[ADMINISTRATORS], *headers.values()])
    assert ask_all(described, senders, examples=1, excluded=EXCLUDED, derandomize=True) > 150


@pytest.mark.slow
@both_databases
@pytest.mark.parametrize("role", [*ROLES, STRANGER])
def test_thousands_of_requests_by_each_role(described, headers, role):
    sent = ask_all(described, repeat(headers[role]), examples=LONG_EXAMPLES, excluded=EXCLUDED_AT_RANDOM)
    print(f"{sent} requests by {role}")
    assert sent >= 10_000 / len(ROLES)
