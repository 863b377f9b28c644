"""Alerts, and the fallback to an earlier version."""

import logging
import shutil
from datetime import timedelta

import pytest

from classifier.errors import DamagedModelError
from classifier.messages import message
from classifier.models import Alert, ModelVersion, Suggestion
from classifier.pipeline.storage.sealed_directory import FORMAT
from classifier.services import jobs
from classifier.services.registry import versions
from classifier.services.registry.alerts import clear_alerts, raise_alert, set_alerts
from classifier.services.registry.storage import folder_of
from classifier.services.registry.versions import load_serving
from classifier.services.runs.context import JobContext
from classifier.services.training.training import train
from tests.classifier.factories import make_alert
from tests.classifier.libraries import QUICK, make_library
from tests.databases import both_databases
from tests.factories import NOW
from tests.logins import api, desk, make_librarian

LATER = NOW + timedelta(days=1)


@both_databases
def test_alert_is_raised_updated_and_raised_again(database, caplog):
    for words in ("It is %(n)s.", "It is %(n)s."):
        raise_alert(kind="model", about="v1", message=message(words, n=1), now=NOW)
    raise_alert(kind="model", about="v1", message=message("It is %(n)s.", n=2), now=LATER)
    alert = Alert.objects.get()
    assert (alert.text, alert.created_at) == ("It is 2.", NOW)
    assert [(r.levelno, r.getMessage()) for r in caplog.records] == [(logging.ERROR, "It is 1.")]
    assert clear_alerts(kind="books", now=LATER) == 0
    assert clear_alerts(kind="model", now=LATER) == 1
    raise_alert(kind="model", about="v1", message=message("Again."), now=LATER)
    assert Alert.objects.count() == 2


@pytest.mark.django_db
def test_settling_leaves_just_what_was_found():
    make_alert(kind="books", about="cover")
    make_alert(kind="books", about="loans")
    make_alert(kind="model", about="v1")
    set_alerts(kind="books", messages={"loans": message("x"), "audio": message("y")}, now=LATER)
    still = Alert.objects.filter(cleared_at=None).values_list("kind", "about")
    assert set(still) == {("model", "v1"), ("books", "loans"), ("books", "audio")}


def missing(folder):
    shutil.rmtree(folder)


def altered(folder):
    (folder / "gallery.json").write_text("{}")


def of_another_format(folder):
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace(f'"format": {FORMAT}', '"format": 0'))


@pytest.mark.django_db
@pytest.mark.parametrize("damage", [missing, altered, of_another_format])
def test_previous_version_is_used_until_files_are_fixed(damage, settings, caplog):
    truth = make_library()
    first = train(JobContext(now=NOW), settings=QUICK)["version"]
    second = train(JobContext(now=NOW), settings=QUICK)["version"]
    safe = shutil.copytree(folder_of(name=second), settings.DATA_DIR / "backup")
    damage(folder_of(name=second))
    versions._load.cache_clear()  # a process that starts now

    jobs.run_here(kind="reclassify", now=NOW)
    assert Suggestion.objects.filter(model_version__name=first, rank=1).count() == len(truth)
    assert ModelVersion.objects.get(state="active").name == second
    alert = Alert.objects.get()
    assert (alert.kind, alert.about, alert.cleared_at) == ("model", second, None)
    assert alert.text.startswith(
        f"The active version {second} cannot be loaded, so {first} is used instead: {second}"
    )
    assert [r.levelno for r in caplog.records if r.name == "classifier.services.registry.alerts"] == [
        logging.ERROR
    ]
    assert alert.text in [r.getMessage() for r in caplog.records]

    shutil.rmtree(folder_of(name=second), ignore_errors=True)
    shutil.copytree(safe, folder_of(name=second))
    # Not left out as unchanged, though the data are: another version served.
    assert "skipped" not in jobs.run_here(kind="reclassify", now=LATER)
    assert Suggestion.objects.filter(model_version__name=second, rank=1).count() == len(truth)
    assert Alert.objects.get().cleared_at is not None


@pytest.mark.django_db
def test_no_loadable_version_raises_an_alert():
    make_library()
    name = train(JobContext(now=NOW), settings=QUICK)["version"]
    missing(folder_of(name=name))
    with pytest.raises(DamagedModelError):
        load_serving(now=NOW)
    assert "nor any earlier version can be loaded, so no books are classified" in Alert.objects.get().text


@pytest.mark.django_db
def test_open_alerts_on_home_page_and_api():
    make_alert(
        message=message(
            "Neither the active version %(version)s nor any earlier version can be loaded, so no "
            "books are classified: %(error)s",
            version="v7",
            error="x",
        )
    )
    make_alert(about="old", cleared_at=NOW, message=message("Long gone."))
    librarian = make_librarian()
    page = desk(librarian).get("/admin/").content.decode()
    assert "Neither the active version v7 nor any" in page
    assert "Long gone." not in page
    page = desk(librarian, headers={"accept-language": "zh-hans"}).get("/admin/").content.decode()
    assert "v7" in page
    assert "Neither the active version" not in page
    response = api(librarian).get("/api/v1/alerts/?cleared_at__isnull=true").json()
    assert [row["message"][:29] for row in response["results"]] == ["Neither the active version v7"]
