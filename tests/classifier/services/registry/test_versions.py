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
    version_named,
)
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
def test_without_an_active_version_the_way_out_is_named():
    with pytest.raises(NoModelError) as caught:
        active_version()
    assert caught.value.message == "There is no trained model yet. Train one first: manage.py train"
    make_version(name="old", pruned_at=NOW)
    make_version(name="new")
    with pytest.raises(NoModelError) as caught:
        active_version()
    assert caught.value.message == ("No version of the model is active. Promote one: manage.py promote new")


@pytest.mark.django_db
def test_a_version_is_found_by_its_name():
    make_version(name="other")
    version = make_version(name="wanted")
    assert version_named("wanted") == version


@pytest.mark.django_db
def test_an_unknown_name_lists_the_five_newest():
    for name in "abcdefg":
        make_version(name=name)
    with pytest.raises(NoModelError) as caught:
        version_named("x")
    assert caught.value.message == "There is no model version x. Newest: g, f, e, d, c."


@pytest.mark.django_db
def test_an_unknown_name_with_nothing_trained_says_so():
    with pytest.raises(NoModelError) as caught:
        version_named("x")
    assert caught.value.message == "There is no model version x. Newest: none yet."


@pytest.mark.django_db
def test_a_process_reads_a_version_once(data_folder, kept_versions):
    trained_library(kept_versions)
    assert load_version(version=active_version()) is load_version(version=active_version())


@pytest.mark.django_db
def test_a_version_without_its_files_is_named_with_the_way_out(data_folder, kept_versions):
    trained_library(kept_versions)
    name = active_version().name
    shutil.rmtree(folder_of(name=name))
    with pytest.raises(ClassifierError) as caught:
        load_version(version=active_version())
    assert caught.value.message == (
        f"{name}/manifest.json is missing or damaged. Train again or restore {name}."
    )


@pytest.mark.django_db
def test_a_process_that_has_classified_notices_a_promotion_and_a_rollback():
    make_library()
    first = train(now=NOW, settings=QUICK)["version"]
    assert load_serving(now=NOW)[0].name == first
    second = train(now=NOW, settings=QUICK, seed=1)["version"]
    version, model = load_serving(now=NOW)
    assert (version.name, model.seed) == (second, 1)
    rollback(now=NOW)  # as another process would
    version, model = load_serving(now=NOW)
    assert (version.name, model.seed) == (first, 0)
