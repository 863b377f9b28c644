import shutil

import pytest
from django.db import IntegrityError, transaction

from classifier.errors import ClassifierError, NoModelError
from classifier.models import ModelVersion
from classifier.services.registry.promotion import rollback
from classifier.services.registry.versions import (
    active_version,
    folder_of,
    load_serving,
    load_version,
    version_by_name,
)
from classifier.services.runs.context import JobContext
from classifier.services.training.training import train
from tests.classifier.factories import make_version
from tests.classifier.libraries import QUICK, make_library
from tests.classifier.serving_process import trained_library
from tests.databases import both_databases
from tests.factories import NOW


@both_databases
@pytest.mark.parametrize(
    "wrong",
    [
        {"state": "active"},
        {"state": "retired", "pruned_at": NOW, "pinned": True},
        {"activated_at": NOW},
    ],
    ids=["two active", "pinned and pruned", "a candidate that was active"],
)
def test_the_database_refuses_versions_that_cannot_be(database, wrong):
    first = make_version(state="active")
    with pytest.raises(IntegrityError), transaction.atomic():
        make_version(**wrong)
    with pytest.raises(IntegrityError), transaction.atomic():
        ModelVersion.objects.filter(pk=first.pk).update(pruned_at=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        ModelVersion.objects.filter(pk=make_version().pk).update(state="active")
    assert ModelVersion.objects.get(state="active") == first


@pytest.mark.django_db
def test_no_active_version_names_the_command():
    with pytest.raises(NoModelError) as caught:
        active_version()
    assert caught.value.message == "No trained model is available. Train one first: manage.py train"
    make_version(name="old", pruned_at=NOW)
    make_version(name="new")
    with pytest.raises(NoModelError) as caught:
        active_version()
    assert caught.value.message == ("No model version is active. Promote one: manage.py promote_model new")


@pytest.mark.django_db
def test_a_version_is_found_by_its_name():
    make_version(name="other")
    version = make_version(name="wanted")
    assert version_by_name("wanted") == version


@pytest.mark.django_db
def test_an_unknown_name_lists_the_five_newest():
    for name in "abcdefg":
        make_version(name=name)
    with pytest.raises(NoModelError) as caught:
        version_by_name("x")
    assert caught.value.message == "There is no model version x. Newest: g, f, e, d, c."


@pytest.mark.django_db
def test_an_unknown_name_with_nothing_trained_says_so():
    with pytest.raises(NoModelError) as caught:
        version_by_name("x")
    assert caught.value.message == "There is no model version x. Newest: none."


@pytest.mark.django_db
def test_a_process_reads_a_version_once(data_folder, version_cache):
    trained_library(version_cache)
    assert load_version(version=active_version()) is load_version(version=active_version())


@pytest.mark.django_db
def test_missing_files_are_named(data_folder, version_cache):
    trained_library(version_cache)
    name = active_version().name
    shutil.rmtree(folder_of(name=name))
    with pytest.raises(ClassifierError) as caught:
        load_version(version=active_version())
    assert caught.value.message == (
        f"{name}/manifest.json is missing or damaged. Train again or restore {name}."
    )


@pytest.mark.django_db
def test_running_process_follows_promotion_and_rollback():
    make_library()
    first = train(JobContext(now=NOW), settings=QUICK)["version"]
    assert load_serving(now=NOW)[0].name == first
    second = train(JobContext(now=NOW), settings=QUICK, seed=1)["version"]
    version, model = load_serving(now=NOW)
    assert (version.name, model.seed) == (second, 1)
    rollback(now=NOW)  # as another process would
    version, model = load_serving(now=NOW)
    assert (version.name, model.seed) == (first, 0)
