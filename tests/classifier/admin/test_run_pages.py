"""Runs in the admin and in the API."""

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
    """Names of the tasks in the embedded queue that belong to this test's runs; processes share the queue."""
    folder = settings.QUEUE_DIR / "messages"

    def names():
        headers = [json.loads(file.read_text())["headers"] for file in folder.iterdir()]
        own = set(Run.objects.exclude(task_id="").values_list("task_id", flat=True))
        return [header["task"] for header in headers if header["id"] in own]

    return names


def test_started_run_is_sent_on_commit(sent, django_capture_on_commit_callbacks):
    librarian = make_librarian()
    with django_capture_on_commit_callbacks(execute=True):
        response = desk(librarian).post(f"{LIST}add/", {"kind": "train"}, follow=True)
        assert sent() == []
    run = Run.objects.get()
    assert (run.kind, run.trigger, run.requested_by, run.forced) == ("train", "manual", librarian, False)
    assert run.sent_at is not None
    assert sent() == ["classifier.tasks.execute_run"]
    assert f"Job queued: {run}." in response.content.decode()
    again = desk(librarian).post(f"{LIST}add/", {"kind": "train", "forced": "on"}, follow=True)
    assert f"An identical job is already queued or running: {run}." in again.content.decode()
    assert Run.objects.get().forced


def test_run_stays_queued_while_broker_is_down(django_capture_on_commit_callbacks, monkeypatch, caplog):
    def fail(*args, **options):
        raise OperationalError("Connection refused")

    # The embedded broker cannot be unavailable.
    monkeypatch.setattr(app, "send_task", fail)
    with django_capture_on_commit_callbacks(execute=True):
        dispatch.request_run(kind="train", trigger="manual", now=NOW)
    run = Run.objects.get()
    assert (run.status, run.sent_at) == ("queued", None)
    assert "could not be sent" in caplog.text
    monkeypatch.undo()
    # Resent at once, before its message would count as lost.
    assert dispatch.reap_runs(now=NOW) == 1
    assert Run.objects.get().sent_at == NOW


def test_list_shows_progress():
    make_run(status="running", progress=0.42, phase="training")
    first = make_run(kind="recommend", status="succeeded")
    make_run(kind="recommend", status="succeeded", unchanged_since=first)
    response = desk(make_librarian()).get(LIST)
    page = response.content.decode()
    assert '<progress value="0.42" max="1"' in page
    for text in ("42%", "training (4 of 8)", f"Nothing has changed since job {first.pk}."):
        assert text in page
    live = (
        f'data-progress="{LIST}progress/"',
        '<noscript><meta http-equiv="refresh" content="5"></noscript>',
    )
    assert all(text in page for text in live)
    Run.objects.filter(status="running").update(status="succeeded", finished_at=NOW)
    page = desk(make_user(ANALYSTS)).get(LIST).content.decode()
    assert not any(text in page for text in live)


def test_progress_endpoint_is_localised():
    running = make_run(status="running", progress=0.42, phase="training")
    ended = make_run(kind="recommend", status="succeeded", progress=1)
    make_run(kind="tune", status="succeeded")
    page = desk(make_librarian()).get(f"{LIST}{running.pk}/change/").content.decode()
    assert f'data-run="{running.pk}" data-part="phase"' in page
    url = f"{LIST}progress/?run={running.pk}&run={ended.pk}&run=x&run=99999"
    response = desk(make_user(ANALYSTS)).get(url, headers={"accept-language": "zh-hans"})
    assert response.json()["runs"] == [
        {
            "run": ended.pk, "active": False, "progress": 1.0, "percent": "100%", "phase": "-",
        },
        {
            "run": running.pk, "active": True, "progress": 0.42, "percent": "42%",
            "phase": "训练（第 4 步，共 8 步）",
        },
    ]  # fmt: skip


def test_analysts_see_no_buttons():
    make_run(status="running")
    page = desk(make_user(ANALYSTS)).get(LIST).content.decode()
    assert ">Train<" not in page
    assert "Cancel job" not in page
    page = desk(make_librarian()).get(LIST).content.decode()
    assert ">Train<" in page
    assert "Cancel job" in page


def test_cancel_button():
    run = make_run(status="running")
    client = desk(make_librarian())
    client.post(f"{LIST}{run.pk}/cancel/")
    run.refresh_from_db()
    assert (run.status, run.cancel_requested) == ("running", True)
    finished = make_run(status="succeeded")
    response = client.post(f"{LIST}{finished.pk}/cancel/", follow=True)
    assert f"Job {finished.pk} has already ended." in response.content.decode()


def test_only_administrators_see_tracebacks():
    run = make_run(status="errored", error="ValueError: no", traceback="Traceback (most recent call last)")
    page = f"{LIST}{run.pk}/change/"
    librarian = make_librarian()
    for user, shown in ((make_user(ADMINISTRATORS), True), (librarian, False)):
        html = desk(user).get(page).content.decode()
        assert "ValueError: no" in html
        assert ("Traceback (most recent" in html) is shown
    assert "Traceback" not in api(librarian).get(f"{ENDPOINT}{run.pk}/").content.decode()


def test_result_table():
    run = make_run(status="succeeded", result={"metrics": {"macro_f1": 0.51234}, "active": True, "notes": []})
    page = desk(make_librarian()).get(f"{LIST}{run.pk}/change/").content.decode()
    for name, value in (
        ("metrics: macro-F1", "0.5123"),
        ("now active", "yes"),
        ("notes", "-"),
        ("<code>seed</code>", "0"),
    ):
        assert f'<th scope="row">{name}</th><td>{value}</td>' in page


def test_pages_in_chinese():
    make_run(status="running", phase="training again with the test books")
    for status, kind in zip(
        ("queued", "succeeded", "failed", "errored", "cancelled"),
        ("train", "tune", "reclassify", "recommend", "order_reviews"),
        strict=True,
    ):
        make_run(status=status, kind=kind, parameters={} if status != "queued" else {"seed": 1})
    statuses = ("排队中", "运行中", "成功", "失败", "出错", "已取消")
    client = desk(make_librarian(), headers={"accept-language": "zh-hans"})
    page = client.get(LIST).content.decode()
    for text in ("训练", "即使没有变化", *statuses):
        assert text in page


def test_api_starts_a_run():
    librarian = make_librarian()
    body = {"kind": "train", "parameters": {"seed": 3}}
    response = api(librarian).post(ENDPOINT, body, format="json")
    run = Run.objects.get()
    assert (response.status_code, response["Location"]) == (202, f"http://testserver{ENDPOINT}{run.pk}/")
    data = response.json()
    assert (data["is_new"], data["status"], data["requested_by"]) == (True, "queued", librarian.username)
    assert (run.trigger, run.parameters) == ("api", {"seed": 3, "settings": []})
    again = api(librarian).post(ENDPOINT, body, format="json")
    assert (again.status_code, again.json()["is_new"], again.json()["id"]) == (202, False, run.pk)


@pytest.mark.parametrize(
    "body", [{"kind": "dance"}, {"kind": "reclassify", "parameters": {"output": "/etc/passwd"}}, {}]
)
def test_api_invalid_run_is_400(body):
    response = api(make_librarian()).post(ENDPOINT, body, format="json")
    assert response.status_code == 400
    assert not Run.objects.exists()


def test_api_cancels_active_runs_only():
    run = make_run()
    client = api(make_librarian())
    response = client.post(f"{ENDPOINT}{run.pk}/cancel/")
    assert (response.status_code, response.json()["status"]) == (202, "cancelled")
    assert client.post(f"{ENDPOINT}{run.pk}/cancel/").status_code == 409


@pytest.mark.parametrize(("role", "reads"), [(ANALYSTS, 200), (CIRCULATION, 403)])
def test_reading_runs_does_not_allow_starting(role, reads):
    run = make_run()
    client = api(make_user(role))
    assert client.get(f"{ENDPOINT}{run.pk}/").status_code == reads
    assert client.post(ENDPOINT, {"kind": "train"}, format="json").status_code == 403
    assert client.post(f"{ENDPOINT}{run.pk}/cancel/").status_code == 403


def test_run_outlives_its_user():
    librarian = make_librarian()
    run = make_run(requested_by=librarian)
    librarian.delete()
    run.refresh_from_db()
    assert run.requested_by is None
