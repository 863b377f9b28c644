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
from tests.databases import both_databases, undone
from tests.factories import NOW, make_borrower_category, make_branch, make_item_type, make_policy


@pytest.fixture
def keys():
    """One of each key, in the order in which they break a tie."""
    return {
        "item_type": make_item_type(name="Film"),
        "borrower_category": make_borrower_category(name="Staff"),
        "branch": make_branch(name="Centre"),
    }


def rule(keys, *named):
    return make_policy(**{name: keys[name] for name in named})


@pytest.mark.django_db
def test_a_new_library_has_one_rule_for_everything_and_no_fines():
    policy = LoanPolicy.objects.get()
    assert (policy.branch, policy.borrower_category, policy.item_type) == (None, None, None)
    assert (policy.loan_days, policy.fine_per_day, policy.fine_cap) == (28, 0, 0)


@pytest.mark.django_db
def test_rules_go_by_how_many_keys_they_name_then_by_item_type_then_category_then_branch(keys):
    order = [
        rule(keys, "item_type", "borrower_category", "branch"),
        rule(keys, "item_type", "borrower_category"),
        rule(keys, "item_type", "branch"),
        rule(keys, "borrower_category", "branch"),
        rule(keys, "item_type"),
        rule(keys, "borrower_category"),
        rule(keys, "branch"),
        rule(keys),
    ]
    make_policy(item_type=make_item_type())
    for first in range(len(order)):
        match = policy_for(**keys)
        assert match.policy == order[first]
        assert list(match.candidates) == order[first:]
        match.policy.delete()


@pytest.mark.django_db
def test_a_key_that_is_not_known_fits_only_rules_for_any(keys):
    rule(keys, "branch")
    assert policy_for(**keys | {"branch": None}).policy == rule(keys)


@pytest.mark.django_db
def test_the_reason_is_told_in_a_sentence(keys):
    default = policy_for(**keys)
    assert default.reason == "It is the rule for everything, and no more specific one fits."
    rule(keys, "branch")
    assert policy_for(**keys).reason == "It names branch, more than any of the 1 others that fit."
    rule(keys, "item_type")
    assert policy_for(**keys).reason == (
        "It names item type. Of 2 others that fit one names as many, but item type goes before borrower "
        "category, and borrower category before branch."
    )
    LoanPolicy.objects.exclude(item_type=keys["item_type"]).delete()
    assert policy_for(**keys).reason == "It names item type, and no other rule fits."


@pytest.mark.django_db
def test_finding_the_rule_takes_one_query(keys, django_assert_num_queries):
    rule(keys, "item_type", "branch")
    with django_assert_num_queries(1):
        assert str(policy_for(**keys).policy) == "Centre · * · Film"


@both_databases
def test_no_two_rules_have_the_same_keys_wildcards_included(database):
    LoanPolicy.objects.all().delete()
    LoanPolicy.objects.create()
    with pytest.raises(IntegrityError), transaction.atomic():
        LoanPolicy.objects.create()
    with pytest.raises(ValidationError, match="There is a rule for this branch"):
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
def test_no_term_of_a_rule_is_below_zero(database, field):
    policy = make_policy()
    with pytest.raises(IntegrityError), transaction.atomic():
        LoanPolicy.objects.filter(pk=policy.pk).update(**{field: -1})


@both_databases
def test_a_closed_day_is_entered_once(database):
    ClosedDay.objects.create(date=date(2024, 6, 3))
    ClosedDay.objects.create(date=date(2024, 6, 3), branch=make_branch())
    with pytest.raises(IntegrityError), transaction.atomic():
        ClosedDay.objects.create(date=date(2024, 6, 3))


@pytest.mark.django_db
def test_closed_days_move_a_due_date_on():
    branch = make_branch()
    ClosedDay.objects.create(date=date(2024, 6, 3))
    ClosedDay.objects.create(date=date(2024, 6, 4), branch=branch)
    ClosedDay.objects.create(date=date(2024, 6, 6))
    assert due_at(start=NOW, days=1, branch_id=branch.pk).date() == date(2024, 6, 2)
    assert due_at(start=NOW, days=2, branch_id=branch.pk).date() == date(2024, 6, 5)
    assert due_at(start=NOW, days=2, branch_id=None).date() == date(2024, 6, 4)
    assert due_at(start=NOW, days=3, branch_id=make_branch().pk).date() == date(2024, 6, 4)


@pytest.mark.django_db
def test_a_loan_is_due_at_the_end_of_the_librarys_day(settings):
    settings.TIME_ZONE = "Asia/Shanghai"
    late_evening = datetime(2024, 6, 1, 17, tzinfo=UTC)  # the second of June in Shanghai
    assert due_at(start=late_evening, days=1, branch_id=None) == datetime(2024, 6, 3, 15, 59, 59, 999999, UTC)


ZONES = st.sampled_from(["UTC", "America/Sao_Paulo", "Asia/Shanghai", "Africa/Cairo", "Pacific/Apia"])
MOMENTS = st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))


@pytest.mark.django_db
@given(zone=ZONES, now=MOMENTS, days=st.integers(0, 400), closed=st.sets(st.integers(0, 10)))
def test_a_due_date_is_never_past_nor_closed_nor_later_than_need_be(zone, now, days, closed):
    tz = ZoneInfo(zone)
    wanted = now.astimezone(tz).date() + timedelta(days=days)
    with override_settings(TIME_ZONE=zone), undone():
        ClosedDay.objects.bulk_create(ClosedDay(date=wanted + timedelta(days=n)) for n in closed)
        due = due_at(start=now, days=days, branch_id=None)
    assert due >= now
    moved = (due.astimezone(tz).date() - wanted).days
    assert moved not in closed
    assert set(range(moved)) <= closed
