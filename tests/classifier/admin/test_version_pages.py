"""Model versions in the admin and in the API."""

import pytest
from django.contrib.admin.models import LogEntry

from classifier.dispatch import request_follow_ups
from classifier.messages import message
from classifier.models import ModelVersion, Run
from library.admin_site.roles import ANALYSTS
from tests.classifier.factories import make_batch, make_run, make_stored_version, make_version
from tests.factories import NOW, make_category
from tests.logins import api, desk, make_librarian, make_user

pytestmark = pytest.mark.django_db

LIST = "/admin/classifier/modelversion/"
ENDPOINT = "/api/v1/models/"

SCORES = {"accuracy": 0.9, "macro_f1": 0.85, "top3": 1, "calibration_error": 0.04, "calibration_noise": 0.03}


def make_compared_version(**fields):
    groups = [
        {"name": "local/530", "books": 30, "candidate": 29, "active": 20},
        {"name": "local/640", "books": 20, "candidate": 16, "active": 19},
    ]
    comparison = {
        "books": 50,
        "excluded_books": 0,
        "candidate": SCORES,
        "active": SCORES | {"accuracy": 0.78},
        "mcnemar": {"won": 31, "lost": 12, "p_value": 0.005},
        "lost": [],
        "by_category": groups,
        "by_language": [{"name": "", "books": 50, "candidate": 45, "active": 39}],
        "by_modalities": [{"name": "text+cover", "books": 50, "candidate": 45, "active": 39}],
    }
    verdict = {"passed": False, "reasons": [message("This is the first version.")]}
    return make_stored_version(
        comparison=comparison, verdict=verdict, metrics={"fused": SCORES, "confusion": [[0, 0, 3]]}, **fields
    )


@pytest.fixture
def versions():
    active = make_stored_version(name="old", state="active", activated_at=NOW)
    return active, make_compared_version(name="new", parent=active)


def states():
    return dict(ModelVersion.objects.values_list("name", "state"))


def test_page_shows_comparison(versions):
    make_category(notation="530", label_en="Physics")
    page = desk(make_librarian()).get(f"{LIST}{versions[1].pk}/change/").content.decode()
    for text in (
        "Better on 31, worse on 12 — a significant difference.",
        "Physics",
        "local/640",  # a deleted category
        "text + cover",
        "unknown",
        'aria-label="29 and 20 of 30 books classified correctly"',
        "97% / 67%",
        "This is the first version.",
        "<td>0.900</td><td>0.780</td>",
    ):
        assert text in page
    comparison = page[page.index('class="comparison"') :]
    assert comparison.index("<svg") < comparison.index("<table")
    assert "confusion" not in page


def test_promote_pin_and_roll_back(versions):
    _, new = versions
    client = desk(make_librarian())
    page = client.get(LIST).content.decode()
    assert f"{LIST}{new.pk}/promote/" in page
    response = client.post(f"{LIST}{new.pk}/promote/", follow=True)
    assert "new is now active." in response.content.decode()
    assert states() == {"old": "retired", "new": "active"}
    client.post(f"{LIST}{new.pk}/pin/")
    assert ModelVersion.objects.get(name="new").pinned
    client.post(f"{LIST}{new.pk}/pin/")
    assert not ModelVersion.objects.get(name="new").pinned
    response = client.post(f"{LIST}rollback/", follow=True)
    assert "Rolled back: old is now active." in response.content.decode()
    assert states() == {"old": "active", "new": "retired"}
    response = client.post(f"{LIST}rollback/", follow=True)
    assert "Cannot roll back: no version before old has usable files." in response.content.decode()
    history = [entry.change_message for entry in LogEntry.objects.order_by("pk")]
    assert history == ["Promoted.", "Pinned.", "Unpinned.", "Rolled back to."]


def test_promotion_requests_reclassification(versions):
    client = desk(make_librarian())
    page = client.post(f"{LIST}{versions[1].pk}/promote/", follow=True).content.decode()
    run = Run.objects.get()
    assert (run.kind, run.trigger, run.status) == ("reclassify", "manual", "queued")
    assert f"Its suggestions are being computed (job {run.pk})." in page
    page = client.post(f"{LIST}rollback/", follow=True).content.decode()
    assert f"Its suggestions are being computed (job {run.pk})." in page
    assert Run.objects.get() == run


@pytest.mark.parametrize(("active", "requested"), [(True, ["reclassify"]), (False, [])])
def test_training_requests_reclassification_if_active(active, requested):
    run = make_run(kind="train", status="succeeded", result={"active": active})
    request_follow_ups(run=run, now=NOW)
    assert [row.kind for row in Run.objects.exclude(pk=run.pk)] == requested


def test_page_shows_proposed_changes(versions):
    batch = make_batch(model_version=versions[1], state="proposed", books=50, changed={"moved": 2, "new": 1})
    page = desk(make_librarian()).get(f"{LIST}{versions[1].pk}/change/").content.decode()
    assert "3 of 50 books would get a different first suggestion" in page
    assert f"batch__id__exact={batch.pk}" in page


def test_analysts_see_no_buttons(versions):
    client = desk(make_user(ANALYSTS))
    for url in (LIST, f"{LIST}{versions[1].pk}/change/"):
        page = client.get(url).content.decode()
        assert "new" in page
        assert "formaction" not in page


def test_version_without_metrics_or_files_has_a_page():
    version = make_version(pruned_at=NOW)
    page = desk(make_librarian()).get(f"{LIST}{version.pk}/change/").content.decode()
    assert "deleted" in page
    assert "formaction" not in page


def test_pages_in_chinese(versions):
    client = desk(make_librarian(), headers={"accept-language": "zh-hans"})
    page = client.get(f"{LIST}{versions[1].pk}/change/").content.decode()
    for text in ("按语种", "31", "设为当前版本", "这是第一个版本。"):
        assert text in page


def test_api_lists_versions_with_metrics(versions):
    run = make_run(status="succeeded")
    ModelVersion.objects.filter(name="new").update(trained_by=run)
    client = api(make_librarian())
    first = client.get(f"{ENDPOINT}?state=candidate").json()["results"]
    assert [(v["name"], v["accuracy"], v["macro_f1"], v["parent"]) for v in first] == [
        ("new", 0.9, 0.85, "old")
    ]
    version = client.get(f"{ENDPOINT}{versions[1].pk}/").json()
    assert (version["metrics"]["fused"], "metrics" in first[0]) == (SCORES, False)
    assert version["comparison"]["mcnemar"]["won"] == 31
    assert (version["passed"], version["reasons"], version["trained_by"]) == (
        False,
        ["This is the first version."],
        run.pk,
    )


def test_api_promotes_rolls_back_and_pins(versions):
    client = api(make_librarian())
    response = client.post(f"{ENDPOINT}{versions[1].pk}/promote/")
    assert (response.status_code, response.json()["state"], response.json()["previous"]) == (
        200,
        "active",
        "old",
    )
    response = client.post(f"{ENDPOINT}rollback/")
    assert (response.status_code, response.json()["name"]) == (200, "old")
    response = client.post(f"{ENDPOINT}rollback/")
    assert (response.status_code, response.json()["detail"]) == (
        400,
        "Cannot roll back: no version before old has usable files.",
    )
    response = client.post(f"{ENDPOINT}{versions[1].pk}/pin/", {"pinned": True}, format="json")
    assert (response.status_code, response.json()["pinned"]) == (200, True)
    assert client.post(f"{ENDPOINT}{versions[1].pk}/pin/", {}, format="json").status_code == 400


def test_api_refused_promotion_is_409(versions, settings):
    settings.PROMOTION = "never"
    response = api(make_librarian()).post(f"{ENDPOINT}{versions[1].pk}/promote/")
    assert response.status_code == 409
    assert states()["new"] == "candidate"
