"""Home page: open tasks, for each role those that it may see."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from classifier.admin.home import add_tiles, next_training
from library.admin_site.roles import ADMINISTRATORS, ANALYSTS, CIRCULATION, LIBRARIANS
from library.circulation.models import Hold, LoanEvent
from library.circulation.selectors.daily_counts import DailyCount, daily_counts
from tests.classifier.factories import make_item, make_misfiled, make_run, make_suggestion, make_version
from tests.factories import NOW, make_book, make_borrower, make_copy, make_loan
from tests.logins import desk, make_user

pytestmark = pytest.mark.django_db
METRICS = {
    "fused": {"accuracy": 0.894},
    "selective": {"at_precision": {"0.90": {"threshold": 0.6, "coverage": 0.92, "precision": 0.911}}},
}


def tiles(role=ADMINISTRATORS):
    request = RequestFactory().get("/admin/")
    request.user = make_user(role)
    return {tile.icon: tile for tile in add_tiles(request, {})["tiles"]}


@pytest.mark.parametrize(
    ("role", "icons"),
    [
        (LIBRARIANS, "fact_check wrong_location play_circle history sync_alt schedule inventory_2"),
        (CIRCULATION, "sync_alt schedule inventory_2"),
        (ANALYSTS, "wrong_location play_circle history"),
    ],
)
def test_tiles_depend_on_role(role, icons):
    assert set(tiles(role)) == set(icons.split())


def test_open_tasks_are_counted_and_linked():
    make_item(book=make_suggestion().book, low_confidence=True)
    make_item(book=make_suggestion().book)
    make_misfiled()
    make_misfiled(dismissed_at=NOW)
    make_loan()  # due in 2024
    book = make_book()
    Hold.objects.create(
        book=book, borrower=make_borrower(), position=1, placed_at=NOW, status="ready", ready_at=NOW,
        copy=make_copy(book=book),
    )  # fmt: skip
    by_icon = tiles()
    assert {icon: (tile.value, tile.tone) for icon, tile in by_icon.items() if tile.tone == "todo"} == {
        "fact_check": ("2", "todo"),
        "wrong_location": ("1", "todo"),
        "schedule": ("1", "todo"),
        "inventory_2": ("1", "todo"),
        "history": ("None yet", "todo"),
    }
    assert "Low confidence (1)" in dict(by_icon["fact_check"].more)
    client = desk(make_user(LIBRARIANS))
    for tile in by_icon.values():
        for url in (tile.url, *(url for _label, url in tile.more)):
            assert client.get(url).status_code == 200, url


def test_no_open_tasks_is_calm():
    make_version(state="active", activated_at=NOW, metrics=METRICS)
    assert {tile.tone for tile in tiles().values()} == {"calm"}


def test_failed_run_is_shown_until_one_of_its_kind_succeeds():
    now = timezone.now()
    closed = {"finished_at": now, "started_at": now}
    make_run(
        kind="train", status="failed", error="Too few books.", requested_at=now - timedelta(hours=2), **closed
    )
    make_run(
        kind="recommend", status="errored", error="Died.", requested_at=now - timedelta(hours=2), **closed
    )
    make_run(kind="recommend", status="succeeded", requested_at=now - timedelta(hours=1), **closed)
    old = now - timedelta(days=9)
    make_run(kind="tune", status="failed", error="Old.", requested_at=old, started_at=old, finished_at=old)
    tile = tiles()["play_circle"]
    assert (tile.value, tile.tone) == ("1", "alert")
    assert [re.sub(r"\d+", "", line) for line in tile.lines] == ["Train model : Too few books."]
    page = desk(make_user(LIBRARIANS)).get(tile.url).content.decode()
    assert "Too few books." in page
    assert page.count("succeeded</span>") == 0


def test_model_tile_shows_accuracy_and_next_training():
    version = make_version(state="active", activated_at=NOW, metrics=METRICS)
    sunday = CrontabSchedule.objects.create(minute="0", hour="0", day_of_week="0", timezone="UTC")
    planned = {"task": "classifier.tasks.request_run", "crontab": sunday}
    PeriodicTask.objects.create(name="train", kwargs=json.dumps({"kind": "train"}), **planned)
    PeriodicTask.objects.create(name="other", kwargs=json.dumps({"kind": "recommend"}), **planned)
    tile = tiles()["history"]
    assert tile.value == "89.4%"
    assert tile.lines[:2] == [
        f"Version {version.name}", "Suggests a category for 92% of books; 91% of suggestions are correct",
    ]  # fmt: skip
    assert tile.lines[3].startswith("Next training: ")
    assert next_training(now=timezone.now()).weekday() == 6
    PeriodicTask.objects.filter(name="train").update(enabled=False)
    assert next_training(now=timezone.now()) is None


def event(kind, at):
    book = make_book()
    LoanEvent.objects.create(kind=kind, occurred_at=at, book=book, copy=make_copy(book=book))


def test_daily_counts_compare_with_the_weekday():
    noon = datetime(2024, 6, 5, 12, tzinfo=UTC)
    for hour in (8, 9, 12):
        event("checkout", noon.replace(hour=hour))
    event("checkout", noon - timedelta(days=1))  # another weekday
    for week in range(1, 9):
        then = noon - timedelta(weeks=week)
        event("checkout", then + timedelta(hours=1))  # later in the day
        for _ in range(2 if week < 7 else 40):
            event("checkout", then - timedelta(hours=1))
    event("checkout", noon - timedelta(weeks=9))
    assert daily_counts(kinds=("checkout", "checkin"), now=noon) == {
        "checkout": DailyCount(today=3, typical_so_far=2, typical_day=3),
        "checkin": DailyCount(today=0, typical_so_far=None, typical_day=None),
    }


def test_day_is_in_library_time_zone(settings):
    with timezone.override("Asia/Shanghai"):
        settings.TIME_ZONE = "Asia/Shanghai"
        timezone.get_default_timezone.cache_clear()
        try:
            early = datetime(2024, 6, 4, 17, tzinfo=UTC)  # one in the morning of the 5th
            event("checkout", early - timedelta(minutes=30))
            event("checkout", early - timedelta(hours=2))
            assert daily_counts(kinds=("checkout",), now=early)["checkout"].today == 1
        finally:
            timezone.get_default_timezone.cache_clear()


def test_query_count_is_constant(django_assert_max_num_queries):
    client = desk(make_user(ADMINISTRATORS))
    make_version(state="active", activated_at=NOW, metrics=METRICS)
    client.get("/admin/")
    counts = []
    for _ in range(2):
        for number in range(5):
            make_item(book=make_suggestion().book, low_confidence=True)
            make_misfiled()
            make_loan()
            make_run(
                kind="train",
                status="failed",
                error="x",
                requested_at=timezone.now(),
                finished_at=timezone.now(),
            )
            event("checkout", timezone.now() - timedelta(minutes=number))
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/admin/").status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] < 25
