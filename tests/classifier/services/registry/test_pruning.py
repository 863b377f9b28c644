"""Pruning of old versions, and clean-up of leftovers."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import OperationalError
from hypothesis import given
from hypothesis import strategies as st

from classifier.errors import PromotionRefusedError
from classifier.models import ModelVersion
from classifier.pipeline.storage.sealed_directory import (
    UNCONFIRMED,
    UNFINISHED,
    fcntl,
    locked,
    write_folder,
)
from classifier.services.registry import storage
from classifier.services.registry.promotion import promote, rollback
from classifier.services.registry.pruning import prunable, prune
from classifier.services.registry.storage import clean_up, folder_of
from tests.classifier.factories import make_run, make_stored_version, make_version
from tests.databases import both_databases, in_thread
from tests.factories import NOW

ages = st.lists(
    st.tuples(
        st.sampled_from(["candidate", "retired"]),
        st.booleans(),  # pinned
        st.booleans(),  # pruned already
        st.integers(0, 3),  # days
    ),
    max_size=12,
)


@given(rows=ages, active=st.integers(0, 14), previous=st.integers(0, 14), keep=st.integers(0, 14))
def test_protected_versions_are_kept(rows, active, previous, keep):
    versions = [
        ModelVersion(
            pk=pk,
            name=str(pk),
            state="active" if pk == active else state,
            pinned=pinned and pk != active,
            pruned_at=NOW if gone and not pinned and pk != active else None,
            created_at=NOW + timedelta(days=days),
            previous_id=previous if pk == active else None,
        )
        for pk, (state, pinned, gone, days) in enumerate(rows)
    ]
    old = prunable(versions=versions, keep=keep)
    for version in old:
        assert not any([version.active, version.pinned, version.pruned_at])
        assert active >= len(rows) or version.pk != previous
    spared = {active, previous} if active < len(rows) else set()
    others = [v for v in versions if not (v.pinned or v.pruned_at) and v.pk not in spared]
    assert len(old) == max(0, len(others) - keep)
    newest_gone = max(((v.created_at, v.pk) for v in old), default=None)
    assert all(newest_gone is None or (v.created_at, v.pk) > newest_gone for v in others if v not in old)


def files():
    return sorted(folder.name for folder in folder_of(name=".").iterdir())


@both_databases
def test_files_go_and_figures_stay(database, settings):
    settings.MODEL_VERSIONS_TO_KEEP = 1
    for number in range(5):
        version = make_stored_version(name=f"v{number}", created_at=NOW + timedelta(days=number))
        if number in (1, 2):
            promote(version=version, now=NOW)
    assert prune(now=NOW) == ["v3", "v0"]
    assert files() == ["v1", "v2", "v4"]
    assert set(ModelVersion.objects.filter(pruned_at=NOW).values_list("name", flat=True)) == {"v0", "v3"}
    assert prune(now=NOW) == []
    with pytest.raises(PromotionRefusedError):
        promote(version=ModelVersion.objects.get(name="v0"), now=NOW)
    assert rollback(now=NOW).name == "v1"


@both_databases
def test_pruning_and_promotion_at_once(database):
    versions = [make_stored_version(created_at=NOW + timedelta(days=day)) for day in range(6)]

    def try_to_promote(version):
        try:
            promote(version=version, now=NOW)
        except PromotionRefusedError:
            return version.name
        return None

    with ThreadPoolExecutor(4) as threads:
        works = [in_thread(threads, lambda v=version: try_to_promote(v)) for version in versions]
        works += [in_thread(threads, lambda: prune(now=NOW, keep=0)) for _ in range(3)]
        refused = {work.result() for work in works[:6]} - {None}
        for work in works[6:]:
            work.result()
    kept = set(files())
    for version in ModelVersion.objects.all():
        assert (version.pruned_at is None) == (version.name in kept)
        assert version.name not in refused or version.pruned_at
    active = ModelVersion.objects.filter(state="active").first()
    assert active is None or active.name in kept


@pytest.mark.django_db
def test_directory_in_use_is_kept():
    version = make_stored_version(name="v0")
    with locked(folder_of(name="v0"), fcntl.LOCK_SH):
        assert prune(now=NOW, keep=0) == ["v0"]
        assert files() == ["v0"]
    clean_up()
    assert files() == []
    version.refresh_from_db()
    assert version.pruned_at == NOW


@pytest.mark.django_db
def test_leftovers_are_deleted_and_writers_left_alone(settings):
    for name in (".new-dead", ".old-20240101-000000-abcd", f"{UNFINISHED}alive"):
        (settings.MODELS_DIR / name).mkdir(parents=True)
        (settings.MODELS_DIR / name / "model.json").write_text("{}")
    with locked(settings.MODELS_DIR / f"{UNFINISHED}alive", fcntl.LOCK_EX):
        clean_up()
        assert files() == [".new-alive"]


def unconfirmed(name, **fields):
    """Write a version's files as a training does that is killed before it has written all down."""
    write_folder(folder_of(name=name), {"model.json": b"{}"})
    return make_version(name=name, **fields) if fields else None


@pytest.mark.django_db
def test_uncommitted_version_is_deleted():
    unconfirmed("no-row")
    unconfirmed("undecided", state="candidate")
    unconfirmed("trained", trained_by=make_run(status="succeeded"))
    unconfirmed("active", state="active", activated_at=NOW)
    with locked(folder_of(name="no-row"), fcntl.LOCK_SH):  # its maker is alive
        clean_up()
        assert files() == ["active", "no-row", "trained"]
    clean_up()
    assert files() == ["active", "trained"]
    assert set(ModelVersion.objects.values_list("name", flat=True)) == {"active", "trained"}
    for name in files():
        assert not (folder_of(name=name) / UNCONFIRMED).exists()


@pytest.mark.django_db
def test_new_directory_is_locked():
    unconfirmed("new")
    with storage.confirmed(name="new"):
        clean_up()
        make_version(name="new")
        clean_up()
        assert ModelVersion.objects.exists()
    assert sorted(file.name for file in folder_of(name="new").iterdir()) == ["manifest.json", "model.json"]


@pytest.mark.django_db
@pytest.mark.parametrize(("state", "left"), [("candidate", []), ("active", ["new"])])
def test_lost_commit_response_keeps_the_version(state, left):
    unconfirmed("new")

    def commit_and_hear_nothing():
        make_version(name="new", state=state, activated_at=NOW if state == "active" else None)
        raise OperationalError("server closed the connection unexpectedly")

    with pytest.raises(OperationalError), storage.confirmed(name="new"):
        commit_and_hear_nothing()
    assert files() == left
    assert list(ModelVersion.objects.values_list("name", flat=True)) == left


@pytest.mark.django_db
def test_orphan_is_deleted_after_a_week(settings):
    orphan = "20240101-000000-abcd"
    for name in (orphan, "private folder"):
        folder = settings.MODELS_DIR / name
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text("{}")
    mark = settings.MODELS_DIR / orphan / storage._ORPHAN

    def aged(days):
        os.utime(mark, (mark.stat().st_mtime - days * 86_400,) * 2)

    clean_up()
    aged(6)
    clean_up()
    assert files() == [orphan, "private folder"]
    version = make_version(name=orphan)  # the newer database is back
    clean_up()
    assert not mark.exists()
    version.delete()
    clean_up()
    aged(8)
    clean_up()
    assert files() == ["private folder"]
