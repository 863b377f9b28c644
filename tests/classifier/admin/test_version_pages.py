"""Versions in the admin and in the API: compared, promoted, rolled back, pinned."""

import pytest
from django.contrib.admin.models import LogEntry

from classifier.dispatch import follow
from classifier.messages import sentence
from classifier.models import ModelVersion, Run
from library.admin_site.roles import ANALYSTS
from tests.classifier.factories import make_batch, make_run, make_stored_version, make_version
from tests.factories import NOW, make_category
from tests.logins import api, desk, make_librarian, make_user

pytestmark = pytest.mark.django_db

LIST = "/admin/classifier/modelversion/"
ENDPOINT = "/api/v1/models/"

FIGURES = {"accuracy": 0.9, "macro_f1": 0.85, "top3": 1, "calibration_error": 0.04, "calibration_noise": 0.03}


def compared(**fields):
    groups = [
        {"name": "local/530", "books": 30, "candidate": 29, "active": 20},
        {"name": "local/640", "books": 20, "candidate": 16, "active": 19},
    ]
    comparison = {
        "books": 50,
        "left_out": 0,
        "candidate": FIGURES,
        "active": FIGURES | {"accuracy": 0.78},
        "mcnemar": {"won": 31, "lost": 12, "p_value": 0.005},
        "lost": [],
        "by_category": groups,
        "by_language": [{"name": "", "books": 50, "candidate": 45, "active": 39}],
        "by_modalities": [{"name": "text+cover", "books": 50, "candidate": 45, "active": 39}],
    }
    verdict = {"passed": False, "reasons": [sentence("It is the first version.")]}
    return make_stored_version(
        comparison=comparison, verdict=verdict, metrics={"fused": FIGURES, "confusion": [[0, 0, 3]]}, **fields
    )


@pytest.fixture
def versions():
    active = make_stored_version(name="old", state="active", activated_at=NOW)
    return active, compared(name="new", parent=active)


def states():
    return dict(ModelVersion.objects.values_list("name", "state"))


def test_the_page_shows_the_comparison_as_a_picture_then_as_a_table(versions):
    make_category(notation="530", label_en="Physics")
    page = desk(make_librarian()).get(f"{LIST}{versions[1].pk}/change/").content.decode()
    for shown in (
        "Better on 31 books, worse on 12: more than chance would bring.",
        "Physics",
        "local/640",  # a category that is gone
        "text + cover",
        "unknown",
        'aria-label="29 and 20 of 30 books right"',
        "97% / 67%",
        "It is the first version.",
        "<td>0.900</td><td>0.780</td>",
    ):
        assert shown in page
    comparison = page[page.index('class="comparison"') :]
    assert comparison.index("<svg") < comparison.index("<table")
    assert "confusion" not in page


def test_a_librarian_promotes_pins_and_rolls_back_with_one_click_each(versions):
    _, new = versions
    client = desk(make_librarian())
    page = client.get(LIST).content.decode()
    assert f"{LIST}{new.pk}/promote/" in page
    answer = client.post(f"{LIST}{new.pk}/promote/", follow=True)
    assert "new classifies from now on." in answer.content.decode()
    assert states() == {"old": "retired", "new": "active"}
    client.post(f"{LIST}{new.pk}/pin/")
    assert ModelVersion.objects.get(name="new").pinned
    client.post(f"{LIST}{new.pk}/pin/")
    assert not ModelVersion.objects.get(name="new").pinned
    answer = client.post(f"{LIST}rollback/", follow=True)
    assert "Rolled back: old classifies from now on." in answer.content.decode()
    assert states() == {"old": "active", "new": "retired"}
    answer = client.post(f"{LIST}rollback/", follow=True)
    assert "There is no version before old whose files are still there." in answer.content.decode()
    told = [entry.change_message for entry in LogEntry.objects.order_by("pk")]
    assert told == ["Promoted.", "Pinned.", "Unpinned.", "Rolled back to."]


def test_who_promotes_or_rolls_back_has_the_catalogue_classified_anew(versions):
    client = desk(make_librarian())
    page = client.post(f"{LIST}{versions[1].pk}/promote/", follow=True).content.decode()
    run = Run.objects.get()
    assert (run.kind, run.trigger, run.status) == ("reclassify", "manual", "queued")
    assert f"Its suggestions come with a run: {run} is queued." in page
    page = client.post(f"{LIST}rollback/", follow=True).content.decode()
    assert f"The same was asked for before: it is {run}." in page


@pytest.mark.parametrize(("active", "asked"), [(True, ["reclassify"]), (False, [])])
def test_after_a_training_that_takes_over_the_catalogue_is_classified_anew(active, asked):
    run = make_run(kind="train", status="succeeded", result={"active": active})
    follow(run=run, now=NOW)
    assert [each.kind for each in Run.objects.exclude(pk=run.pk)] == asked


def test_the_page_shows_what_would_change(versions):
    batch = make_batch(model_version=versions[1], state="proposed", books=50, changed={"moved": 2, "new": 1})
    page = desk(make_librarian()).get(f"{LIST}{versions[1].pk}/change/").content.decode()
    assert "3 of 50 books would have another first suggestion" in page
    assert f"reclassification__id__exact={batch.pk}" in page


def test_one_who_may_only_look_is_offered_no_button(versions):
    client = desk(make_user(ANALYSTS))
    for address in (LIST, f"{LIST}{versions[1].pk}/change/"):
        page = client.get(address).content.decode()
        assert "new" in page
        assert "formaction" not in page


def test_a_version_without_figures_or_files_has_a_page_too():
    version = make_version(pruned_at=NOW)
    page = desk(make_librarian()).get(f"{LIST}{version.pk}/change/").content.decode()
    assert "deleted" in page
    assert "formaction" not in page


def test_the_pages_speak_chinese(versions):
    client = desk(make_librarian(), headers={"accept-language": "zh-hans"})
    page = client.get(f"{LIST}{versions[1].pk}/change/").content.decode()
    for words in ("按语言", "在 31 种图书上更好", "启用此版本", "这是第一个版本。"):
        assert words in page


def test_the_api_lists_versions_the_figures_of_each_and_why(versions):
    run = make_run(status="succeeded")
    ModelVersion.objects.filter(name="new").update(trained_by=run)
    client = api(make_librarian())
    first = client.get(f"{ENDPOINT}?state=candidate").json()["results"]
    assert [(v["name"], v["accuracy"], v["macro_f1"], v["parent"]) for v in first] == [
        ("new", 0.9, 0.85, "old")
    ]
    one = client.get(f"{ENDPOINT}{versions[1].pk}/").json()
    assert (one["metrics"]["fused"], "metrics" in first[0]) == (FIGURES, False)
    assert one["comparison"]["mcnemar"]["won"] == 31
    assert (one["passed"], one["reasons"], one["trained_by"]) == (False, ["It is the first version."], run.pk)


def test_the_api_promotes_rolls_back_and_pins(versions):
    client = api(make_librarian())
    answer = client.post(f"{ENDPOINT}{versions[1].pk}/promote/")
    assert (answer.status_code, answer.json()["state"], answer.json()["previous"]) == (200, "active", "old")
    answer = client.post(f"{ENDPOINT}rollback/")
    assert (answer.status_code, answer.json()["name"]) == (200, "old")
    answer = client.post(f"{ENDPOINT}rollback/")
    assert (answer.status_code, answer.json()["detail"]) == (
        400,
        "There is no version before old whose files are still there.",
    )
    answer = client.post(f"{ENDPOINT}{versions[1].pk}/pin/", {"pinned": True}, format="json")
    assert (answer.status_code, answer.json()["pinned"]) == (200, True)
    assert client.post(f"{ENDPOINT}{versions[1].pk}/pin/", {}, format="json").status_code == 400


def test_the_api_says_when_a_version_cannot_be_promoted(versions, settings):
    settings.PROMOTION = "never"
    answer = api(make_librarian()).post(f"{ENDPOINT}{versions[1].pk}/promote/")
    assert answer.status_code == 409
    assert states()["new"] == "candidate"
