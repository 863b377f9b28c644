from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from library.circulation.models import ClosedDay, LoanPolicy
from library.circulation.selectors.calendar import due_at
from library.circulation.selectors.policies import policy_for
from tests.databases import both_databases, rolled_back
from tests.factories import NOW, make_borrower_category, make_branch, make_item_type, make_policy


@pytest.fixture
def keys():
    """One record for each key, in order of precedence."""
    return {
        "item_type": make_item_type(name="Film"),
        "borrower_category": make_borrower_category(name="Staff"),
        "branch": make_branch(name="Centre"),
    }


def policy_with(keys, *names):
    return make_policy(**{name: keys[name] for name in names})


@pytest.mark.django_db
def test_new_library_has_a_default_policy_without_fines():
    policy = LoanPolicy.objects.get()
    assert (policy.branch, policy.borrower_category, policy.item_type) == (None, None, None)
    assert (policy.loan_days, policy.fine_per_day, policy.fine_cap) == (28, 0, 0)


@pytest.mark.django_db
def test_policy_precedence(keys):
    order = [
        policy_with(keys, "item_type", "borrower_category", "branch"),
        policy_with(keys, "item_type", "borrower_category"),
        policy_with(keys, "item_type", "branch"),
        policy_with(keys, "borrower_category", "branch"),
        policy_with(keys, "item_type"),
        policy_with(keys, "borrower_category"),
        policy_with(keys, "branch"),
        policy_with(keys),
    ]
    make_policy(item_type=make_item_type())
    for first in range(len(order)):
        match = policy_for(**keys)
        assert match.policy == order[first]
        assert list(match.candidates) == order[first:]
        match.policy.delete()


@pytest.mark.django_db
def test_unknown_key_matches_only_wildcards(keys):
    policy_with(keys, "branch")
    assert policy_for(**keys | {"branch": None}).policy == policy_with(keys)


@pytest.mark.django_db
def test_reason_is_a_sentence(keys):
    default = policy_for(**keys)
    assert default.reason == "This is the default policy, and no more specific policy matches."
    policy_with(keys, "branch")
    assert policy_for(**keys).reason == (
        "This policy specifies branch and is more specific than the other matching policies (1)."
    )
    policy_with(keys, "item_type")
    assert policy_for(**keys).reason == (
        "This policy specifies item type. At least one of the other matching policies (2) is "
        "equally specific, but item type takes precedence over borrower category, and "
        "borrower category over branch."
    )
    LoanPolicy.objects.exclude(item_type=keys["item_type"]).delete()
    assert policy_for(**keys).reason == "This policy specifies item type, and no other policy matches."


@pytest.mark.django_db
def test_policy_for_takes_one_query(keys, django_assert_num_queries):
    policy_with(keys, "item_type", "branch")
    with django_assert_num_queries(1):
        assert str(policy_for(**keys).policy) == "Centre · * · Film"


@both_databases
def test_policy_keys_are_unique_including_wildcards(database):
    LoanPolicy.objects.all().delete()
    LoanPolicy.objects.create()
    with pytest.raises(IntegrityError), transaction.atomic():
        LoanPolicy.objects.create()
    with pytest.raises(ValidationError, match="A loan policy for this branch"):
        LoanPolicy().validate_constraints()
    branch = make_branch()
    LoanPolicy.objects.create(branch=branch)
    with pytest.raises(IntegrityError), transaction.atomic():
        LoanPolicy.objects.create(branch=branch)


@both_databases
@pytest.mark.parametrize(
    "field",
    [
        "loan_days",
        "max_loans",
        "renewals_allowed",
        "renewal_days",
        "holds_allowed",
        "fine_per_day",
        "grace_days",
        "fine_cap",
    ],
)
def test_policy_terms_are_not_negative(database, field):
    policy = make_policy()
    with pytest.raises(IntegrityError), transaction.atomic():
        LoanPolicy.objects.filter(pk=policy.pk).update(**{field: -1})


@both_databases
def test_closed_day_is_unique(database):
    ClosedDay.objects.create(date=date(2024, 6, 3))
    ClosedDay.objects.create(date=date(2024, 6, 3), branch=make_branch())
    with pytest.raises(IntegrityError), transaction.atomic():
        ClosedDay.objects.create(date=date(2024, 6, 3))


@pytest.mark.django_db
def test_closed_days_postpone_the_due_date():
    branch = make_branch()
    ClosedDay.objects.create(date=date(2024, 6, 3))
    ClosedDay.objects.create(date=date(2024, 6, 4), branch=branch)
    ClosedDay.objects.create(date=date(2024, 6, 6))
    assert due_at(start=NOW, days=1, branch_id=branch.pk).date() == date(2024, 6, 2)
    assert due_at(start=NOW, days=2, branch_id=branch.pk).date() == date(2024, 6, 5)
    assert due_at(start=NOW, days=2, branch_id=None).date() == date(2024, 6, 4)
    assert due_at(start=NOW, days=3, branch_id=make_branch().pk).date() == date(2024, 6, 4)


@pytest.mark.django_db
def test_due_date_is_the_end_of_the_local_day(settings):
    settings.TIME_ZONE = "Asia/Shanghai"
    late_evening = datetime(2024, 6, 1, 17, tzinfo=UTC)  # the second of June in Shanghai
    assert due_at(start=late_evening, days=1, branch_id=None) == datetime(2024, 6, 3, 15, 59, 59, 999999, UTC)


ZONES = st.sampled_from(["UTC", "America/Sao_Paulo", "Asia/Shanghai", "Africa/Cairo", "Pacific/Apia"])
MOMENTS = st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))


@pytest.mark.django_db
@given(zone=ZONES, now=MOMENTS, days=st.integers(0, 400), closed=st.sets(st.integers(0, 10)))
def test_due_date_is_the_first_open_day(zone, now, days, closed):
    tz = ZoneInfo(zone)
    earliest = now.astimezone(tz).date() + timedelta(days=days)
    with override_settings(TIME_ZONE=zone), rolled_back():
        ClosedDay.objects.bulk_create(ClosedDay(date=earliest + timedelta(days=n)) for n in closed)
        due = due_at(start=now, days=days, branch_id=None)
    assert due >= now
    postponed = (due.astimezone(tz).date() - earliest).days
    assert postponed not in closed
    assert set(range(postponed)) <= closed
