"""Runs in the admin and in the API: seen, started, cancelled."""

import json

import pytest
from kombu.exceptions import OperationalError

from classifier import dispatch
from classifier.models import Run
from library.admin_site.roles import ADMINISTRATORS, ANALYSTS, CIRCULATION
from library.celery import app
from tests.classifier.factories import make_run
from tests.factories import NOW
from tests.logins import api, desk, make_librarian, make_user

pytestmark = pytest.mark.django_db

LIST = "/admin/classifier/run/"
ENDPOINT = "/api/v1/runs/"


@pytest.fixture
def sent(settings):
    """The tasks that were put into the embedded queue since the test began."""
    folder = settings.QUEUE_DIR / "messages"
    before = set(folder.iterdir())
    return lambda: [
        json.loads(file.read_text())["headers"]["task"] for file in set(folder.iterdir()) - before
    ]


def test_a_librarian_starts_a_run_which_is_sent_when_committed(sent, django_capture_on_commit_callbacks):
    librarian = make_librarian()
    with django_capture_on_commit_callbacks(execute=True):
        answer = desk(librarian).post(f"{LIST}add/", {"kind": "train"}, follow=True)
        assert sent() == []
    run = Run.objects.get()
    assert (run.kind, run.trigger, run.asked_by, run.forced) == ("train", "manual", librarian, False)
    assert run.sent_at is not None
    assert sent() == ["classifier.tasks.train"]
    assert f"train {run.pk} is queued." in answer.content.decode()
    again = desk(librarian).post(f"{LIST}add/", {"kind": "train", "forced": "on"}, follow=True)
    assert f"The same was asked for before: it is train {run.pk}." in again.content.decode()
    assert Run.objects.get().forced


def test_while_the_queue_is_away_a_run_stays_asked_for(
    django_capture_on_commit_callbacks, monkeypatch, caplog
):
    def fail(*args, **options):
        raise OperationalError("Connection refused")

    # The network's edge: no broker of this installation can be away.
    monkeypatch.setattr(app, "send_task", fail)
    with django_capture_on_commit_callbacks(execute=True):
        dispatch.ask(kind="train", trigger="manual", now=NOW)
    run = Run.objects.get()
    assert (run.status, run.sent_at) == ("queued", None)
    assert "could not be sent" in caplog.text
    monkeypatch.undo()
    # At once, and not only when its message would count as lost.
    assert dispatch.reap(now=NOW) == 1
    assert Run.objects.get().sent_at == NOW


def test_the_list_shows_how_far_runs_are_and_follows_them_while_one_goes_on():
    make_run(status="running", progress=0.42, phase="learning", seconds_left=200)
    first = make_run(kind="recommend", status="succeeded")
    make_run(kind="recommend", status="succeeded", unchanged_since=first)
    answer = desk(make_librarian()).get(LIST)
    page = answer.content.decode()
    assert '<progress value="0.42" max="1"' in page
    for words in ("42%", "learning", "3\N{NO-BREAK SPACE}minutes", f"Nothing changed since run {first.pk}."):
        assert words in page
    following = (
        f'data-progress="{LIST}progress/"',
        '<noscript><meta http-equiv="refresh" content="5"></noscript>',
    )
    assert all(words in page for words in following)
    Run.objects.filter(status="running").update(status="succeeded", finished_at=NOW)
    page = desk(make_user(ANALYSTS)).get(LIST).content.decode()
    assert not any(words in page for words in following)


def test_a_page_asks_how_far_its_runs_are_in_its_own_language():
    goes_on = make_run(status="running", progress=0.42, phase="learning", seconds_left=30)
    ended = make_run(kind="recommend", status="succeeded", progress=1)
    make_run(kind="tune", status="succeeded")
    page = desk(make_librarian()).get(f"{LIST}{goes_on.pk}/change/").content.decode()
    assert f'data-run="{goes_on.pk}" data-part="time_left"' in page
    asked = f"{LIST}progress/?run={goes_on.pk}&run={ended.pk}&run=x&run=99999"
    answer = desk(make_user(ANALYSTS)).get(asked, headers={"accept-language": "zh-hans"})
    assert answer.json()["runs"] == [
        {
            "run": ended.pk, "goes_on": False, "how_far": 1.0, "percent": "100%", "phase": "-",
            "time_left": "-",
        },
        {
            "run": goes_on.pk, "goes_on": True, "how_far": 0.42, "percent": "42%", "phase": "学习",
            "time_left": "不到一分钟",
        },
    ]  # fmt: skip


def test_one_who_may_only_look_is_offered_no_button():
    make_run(status="running")
    page = desk(make_user(ANALYSTS)).get(LIST).content.decode()
    assert "Train now" not in page
    assert "Cancel this run" not in page
    page = desk(make_librarian()).get(LIST).content.decode()
    assert "Train now" in page
    assert "Cancel this run" in page


def test_a_librarian_cancels_a_run():
    run = make_run(status="running")
    client = desk(make_librarian())
    client.post(f"{LIST}{run.pk}/cancel/")
    run.refresh_from_db()
    assert (run.status, run.cancel_requested) == ("running", True)
    over = make_run(status="succeeded")
    answer = client.post(f"{LIST}{over.pk}/cancel/", follow=True)
    assert f"Run {over.pk} is over already." in answer.content.decode()


def test_only_administrators_see_where_in_the_code_it_went_wrong():
    run = make_run(status="errored", error="ValueError: no", traceback="Traceback (most recent call last)")
    page = f"{LIST}{run.pk}/change/"
    librarian = make_librarian()
    for user, shown in ((make_user(ADMINISTRATORS), True), (librarian, False)):
        said = desk(user).get(page).content.decode()
        assert "ValueError: no" in said
        assert ("Traceback (most recent" in said) is shown
    assert "Traceback" not in api(librarian).get(f"{ENDPOINT}{run.pk}/").content.decode()


def test_the_result_is_a_table():
    run = make_run(status="succeeded", result={"metrics": {"macro_f1": 0.51234}, "active": True, "notes": []})
    page = desk(make_librarian()).get(f"{LIST}{run.pk}/change/").content.decode()
    for name, value in (
        ("metrics: macro-F1", "0.5123"),
        ("classifies now", "yes"),
        ("notes", "-"),
        ("<code>seed</code>", "0"),
    ):
        assert f'<th scope="row">{name}</th><td>{value}</td>' in page


def test_the_pages_speak_chinese():
    make_run(status="running", phase="learning with the held-out books")
    for status, kind in zip(
        ("queued", "succeeded", "failed", "errored", "cancelled"),
        ("train", "tune", "reclassify", "recommend", "order_reviews"),
        strict=True,
    ):
        make_run(status=status, kind=kind, parameters={} if status != "queued" else {"seed": 1})
    statuses = ("排队中", "运行中", "成功", "失败", "出错", "已取消")
    client = desk(make_librarian(), headers={"accept-language": "zh-hans"})
    page = client.get(LIST).content.decode()
    for words in ("立即训练", "加入留出图书再学习", "即使没有变化", *statuses):
        assert words in page


def test_the_api_opens_a_run_and_says_where_it_is():
    librarian = make_librarian()
    given = {"kind": "train", "parameters": {"seed": 3}}
    answer = api(librarian).post(ENDPOINT, given, format="json")
    run = Run.objects.get()
    assert (answer.status_code, answer["Location"]) == (202, f"http://testserver{ENDPOINT}{run.pk}/")
    said = answer.json()
    assert (said["is_new"], said["status"], said["asked_by"]) == (True, "queued", librarian.username)
    assert (run.trigger, run.parameters) == ("api", {"seed": 3, "settings": []})
    again = api(librarian).post(ENDPOINT, given, format="json")
    assert (again.status_code, again.json()["is_new"], again.json()["id"]) == (202, False, run.pk)


@pytest.mark.parametrize(
    "given", [{"kind": "dance"}, {"kind": "reclassify", "parameters": {"output": "/etc/passwd"}}, {}]
)
def test_the_api_refuses_what_no_run_can_do(given):
    answer = api(make_librarian()).post(ENDPOINT, given, format="json")
    assert answer.status_code == 400
    assert not Run.objects.exists()


def test_the_api_cancels_and_refuses_to_cancel_what_is_over():
    run = make_run()
    client = api(make_librarian())
    answer = client.post(f"{ENDPOINT}{run.pk}/cancel/")
    assert (answer.status_code, answer.json()["status"]) == (202, "cancelled")
    assert client.post(f"{ENDPOINT}{run.pk}/cancel/").status_code == 409


@pytest.mark.parametrize(("role", "reads"), [(ANALYSTS, 200), (CIRCULATION, 403)])
def test_who_may_read_may_not_start_or_cancel(role, reads):
    run = make_run()
    client = api(make_user(role))
    assert client.get(f"{ENDPOINT}{run.pk}/").status_code == reads
    assert client.post(ENDPOINT, {"kind": "train"}, format="json").status_code == 403
    assert client.post(f"{ENDPOINT}{run.pk}/cancel/").status_code == 403


def test_what_a_user_asked_for_stays_when_the_user_goes():
    librarian = make_librarian()
    run = make_run(asked_by=librarian)
    librarian.delete()
    run.refresh_from_db()
    assert run.asked_by is None
