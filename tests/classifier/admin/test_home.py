"""The home page tells each person what needs attention, and no more than that person may see."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from classifier.admin.home import next_training, with_tiles
from library.admin_site.roles import ADMINISTRATORS, ANALYSTS, CIRCULATION, LIBRARIANS
from library.circulation.models import Hold, LoanEvent
from library.circulation.selectors.daily_counts import SoFar, so_far_today
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
    return {tile.icon: tile for tile in with_tiles(request, {})["tiles"]}


@pytest.mark.parametrize(
    ("role", "seen"),
    [
        (LIBRARIANS, "fact_check wrong_location play_circle history sync_alt schedule inventory_2"),
        (CIRCULATION, "sync_alt schedule inventory_2"),
        (ANALYSTS, "wrong_location play_circle history"),
    ],
)
def test_each_person_sees_the_tiles_of_what_that_person_may_see(role, seen):
    assert set(tiles(role)) == set(seen.split())


def test_what_is_to_be_done_is_counted_and_leads_to_its_list():
    make_item(book=make_suggestion().book, unsure=True)
    make_item(book=make_suggestion().book)
    make_misfiled()
    make_misfiled(dismissed_at=NOW)
    make_loan()  # due in 2024
    book = make_book()
    Hold.objects.create(
        book=book, borrower=make_borrower(), position=1, placed_at=NOW, status="ready", ready_at=NOW,
        copy=make_copy(book=book),
    )  # fmt: skip
    found = tiles()
    assert {icon: (tile.value, tile.tone) for icon, tile in found.items() if tile.tone == "todo"} == {
        "fact_check": ("2", "todo"),
        "wrong_location": ("1", "todo"),
        "schedule": ("1", "todo"),
        "inventory_2": ("1", "todo"),
        "history": ("none yet", "todo"),
    }
    assert "not sure enough: 1" in dict(found["fact_check"].more)
    client = desk(make_user(LIBRARIANS))
    for tile in found.values():
        for address in (tile.url, *(address for _words, address in tile.more)):
            assert client.get(address).status_code == 200, address


def test_nothing_to_do_is_calm():
    make_version(state="active", activated_at=NOW, metrics=METRICS)
    assert {tile.tone for tile in tiles().values()} == {"calm"}


def test_a_run_that_failed_is_told_until_one_of_its_kind_succeeds():
    now = timezone.now()
    closed = {"finished_at": now, "started_at": now}
    make_run(
        kind="train", status="failed", error="Too few books.", asked_at=now - timedelta(hours=2), **closed
    )
    make_run(kind="recommend", status="errored", error="Died.", asked_at=now - timedelta(hours=2), **closed)
    make_run(kind="recommend", status="succeeded", asked_at=now - timedelta(hours=1), **closed)
    old = now - timedelta(days=9)
    make_run(kind="tune", status="failed", error="Old.", asked_at=old, started_at=old, finished_at=old)
    tile = tiles()["play_circle"]
    assert (tile.value, tile.tone) == ("1", "alarm")
    assert [re.sub(r"\d+", "", line) for line in tile.lines] == ["train : Too few books."]
    page = desk(make_user(LIBRARIANS)).get(tile.url).content.decode()
    assert "Too few books." in page
    assert page.count("succeeded</span>") == 0


def test_the_model_says_how_good_it_is_and_when_it_learns_next():
    version = make_version(state="active", activated_at=NOW, metrics=METRICS)
    sunday = CrontabSchedule.objects.create(minute="0", hour="0", day_of_week="0", timezone="UTC")
    planned = {"task": "classifier.tasks.ask", "crontab": sunday}
    PeriodicTask.objects.create(name="train", kwargs=json.dumps({"kind": "train"}), **planned)
    PeriodicTask.objects.create(name="other", kwargs=json.dumps({"kind": "recommend"}), **planned)
    tile = tiles()["history"]
    assert tile.value == "89.4%"
    assert tile.lines[:2] == [
        f"version {version.name}", "answers 92% of books; of these answers 91% are right",
    ]  # fmt: skip
    assert tile.lines[3].startswith("next training: ")
    assert next_training(now=timezone.now()).weekday() == 6
    PeriodicTask.objects.filter(name="train").update(enabled=False)
    assert next_training(now=timezone.now()) is None


def event(kind, at):
    book = make_book()
    LoanEvent.objects.create(kind=kind, at=at, book=book, copy=make_copy(book=book))


def test_today_is_counted_beside_the_usual_of_this_weekday_up_to_this_time():
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
    assert so_far_today(kinds=("checkout", "checkin"), now=noon) == {
        "checkout": SoFar(today=3, usual=2, whole_day=3),
        "checkin": SoFar(today=0, usual=None, whole_day=None),
    }


def test_a_day_is_one_of_the_library_not_of_greenwich(settings):
    with timezone.override("Asia/Shanghai"):
        settings.TIME_ZONE = "Asia/Shanghai"
        timezone.get_default_timezone.cache_clear()
        try:
            early = datetime(2024, 6, 4, 17, tzinfo=UTC)  # one in the morning of the 5th
            event("checkout", early - timedelta(minutes=30))
            event("checkout", early - timedelta(hours=2))
            assert so_far_today(kinds=("checkout",), now=early)["checkout"].today == 1
        finally:
            timezone.get_default_timezone.cache_clear()


def test_the_page_takes_few_queries_however_much_there_is(django_assert_max_num_queries):
    client = desk(make_user(ADMINISTRATORS))
    make_version(state="active", activated_at=NOW, metrics=METRICS)
    client.get("/admin/")
    counts = []
    for _ in range(2):
        for number in range(5):
            make_item(book=make_suggestion().book, unsure=True)
            make_misfiled()
            make_loan()
            make_run(
                kind="train", status="failed", error="x", asked_at=timezone.now(), finished_at=timezone.now()
            )
            event("checkout", timezone.now() - timedelta(minutes=number))
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/admin/").status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] < 25
