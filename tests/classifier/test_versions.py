import shutil

import pytest
from django.db import IntegrityError, transaction

from classifier.errors import ClassifierError, NoModelError
from classifier.models import ModelVersion
from classifier.services.training import train
from classifier.services.versions import activate, active_version, folder_of, load_version, version_named
from tests.classifier.factories import make_version
from tests.classifier.libraries import QUICK, make_library
from tests.databases import both_databases
from tests.factories import NOW


@both_databases
def test_the_database_keeps_two_versions_from_being_active(database):
    make_version(active=True)
    with pytest.raises(IntegrityError), transaction.atomic():
        make_version(active=True)
    with pytest.raises(IntegrityError), transaction.atomic():
        ModelVersion.objects.filter(pk=make_version().pk).update(active=True)
    assert ModelVersion.objects.filter(active=True).count() == 1


@both_databases
def test_activating_a_version_puts_the_other_aside(database):
    first, second = make_version(active=True), make_version()
    activate(version=second)
    assert active_version() == second
    first.refresh_from_db()
    assert not first.active


@pytest.mark.django_db
def test_activating_the_active_version_changes_nothing():
    version = make_version(active=True)
    activate(version=version)
    assert active_version() == version


@pytest.mark.django_db
def test_without_an_active_version_the_way_out_is_named():
    make_version()
    with pytest.raises(NoModelError) as caught:
        active_version()
    assert caught.value.message == "There is no trained model yet. Train one first: manage.py train"


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
def test_a_process_reads_a_version_once():
    make_library()
    train(now=NOW, settings=QUICK)
    assert load_version(version=active_version()) is load_version(version=active_version())


@pytest.mark.django_db
def test_a_version_without_its_files_is_named_with_the_way_out():
    make_library()
    name = train(now=NOW, settings=QUICK)["version"]
    shutil.rmtree(folder_of(name=name))
    with pytest.raises(ClassifierError) as caught:
        load_version(version=active_version())
    assert caught.value.message == (
        f"{name}/manifest.json is missing or damaged. Train again or restore {name}."
    )
