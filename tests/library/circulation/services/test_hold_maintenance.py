"""Daily hold maintenance: uncollected holds expire and suspended ones resume."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from library.catalogue.models import Copy
from library.circulation.models import Hold, LoanEvent
from library.circulation.services.checkin import checkin
from library.circulation.services.checkout import checkout
from library.circulation.services.hold_maintenance import maintain_holds
from library.circulation.services.holds import place_hold, suspend_hold
from library.circulation.tasks import maintain_holds as task
from library.circulation.tasks import send_notices
from tests.databases import both_databases, in_thread
from tests.factories import NOW, make_borrower, make_copy, make_policy

AFTER_SHELF_TIME = NOW + timedelta(days=8)


@pytest.fixture
def copy(db):
    """A copy on loan."""
    make_policy()
    return checkout(copy=make_copy(), borrower=make_borrower(), branch=None, now=NOW).copy


def place(copy):
    return place_hold(book=copy.book, borrower=make_borrower(), pickup_branch=None, now=NOW)


def test_uncollected_hold_expires_and_the_copy_goes_on(copy):
    first, second = place(copy), place(copy)
    checkin(copy=copy, branch=None, now=NOW)
    assert maintain_holds(now=AFTER_SHELF_TIME - timedelta(days=1)) == {"resumed": 0, "expired": 0}
    assert maintain_holds(now=AFTER_SHELF_TIME) == {"resumed": 0, "expired": 1}
    assert list(Hold.objects.order_by("pk").values_list("status", flat=True)) == ["expired", "ready"]
    second.refresh_from_db()
    assert (second.copy, second.ready_at) == (copy, AFTER_SHELF_TIME)
    assert LoanEvent.objects.filter(kind="hold_expired", borrower=first.borrower).count() == 1
    assert maintain_holds(now=AFTER_SHELF_TIME) == {"resumed": 0, "expired": 0}


def test_suspended_hold_resumes_on_its_date(copy):
    hold, indefinite = place(copy), place(copy)
    suspend_hold(hold=hold, until=(NOW + timedelta(days=3)).date(), now=NOW)
    suspend_hold(hold=indefinite, until=None, now=NOW)
    assert maintain_holds(now=NOW + timedelta(days=2)) == {"resumed": 0, "expired": 0}
    assert maintain_holds(now=NOW + timedelta(days=3)) == {"resumed": 1, "expired": 0}
    assert list(Hold.objects.order_by("pk").values_list("status", "suspended_until")) == [
        ("waiting", None),
        ("suspended", None),
    ]


@both_databases
def test_concurrent_runs_expire_each_hold_once(database):
    make_policy()
    for _ in range(6):
        copy = checkout(copy=make_copy(), borrower=make_borrower(), branch=None, now=NOW).copy
        place(copy)
        checkin(copy=copy, branch=None, now=NOW)
    with ThreadPoolExecutor(4) as threads:
        runs = [in_thread(threads, lambda: maintain_holds(now=AFTER_SHELF_TIME)) for _ in range(4)]
        assert sum(run.result()["expired"] for run in runs) == 6
    assert LoanEvent.objects.filter(kind="hold_expired").count() == 6
    assert set(Copy.objects.values_list("status", flat=True)) == {"available"}


def test_daily_tasks_are_scheduled_by_name(settings, copy):
    place(copy)
    checkin(copy=copy, branch=None, now=NOW)
    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert {task.name, send_notices.name} <= scheduled
    assert task() == {"resumed": 0, "expired": 1}
    assert send_notices()["problems"] == []
