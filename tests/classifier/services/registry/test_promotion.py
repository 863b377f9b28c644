"""Promotion, rollback and pinning, concurrently and across processes."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from classifier.errors import DamagedModelError, NoModelError, PromotionRefusedError
from classifier.models import Alert, ModelVersion
from classifier.services.registry.promotion import pin, promote, rollback
from classifier.services.registry.storage import folder_of
from tests.classifier.factories import make_alert, make_stored_version, make_version
from tests.databases import both_databases, in_thread
from tests.factories import NOW

LATER = NOW + timedelta(hours=1)


def states():
    return dict(ModelVersion.objects.values_list("name", "state"))


def named(*names):
    return [make_stored_version(name=name) for name in names]


@both_databases
def test_promotion_records_the_previous_version(database):
    first, second = named("a", "b")
    promote(version=first, now=NOW)
    promoted = promote(version=second, now=LATER)
    assert states() == {"a": "retired", "b": "active"}
    assert (promoted.previous, promoted.activated_at) == (first, LATER)
    assert promote(version=second, now=NOW).activated_at == LATER


@pytest.mark.django_db
def test_each_rollback_goes_one_further_back():
    for version in named("a", "b", "c"):
        promote(version=version, now=NOW)
    assert rollback(now=LATER).name == "b"
    assert rollback(now=LATER).name == "a"
    with pytest.raises(NoModelError) as caught:
        rollback(now=LATER)
    assert caught.value.message == "Cannot roll back: no version before a has usable files."
    assert states() == {"a": "active", "b": "retired", "c": "retired"}


@pytest.mark.django_db
def test_alternating_promotions_alternate_rollbacks():
    a, b = named("a", "b")
    for version in (a, b, a):
        promote(version=version, now=NOW)
    assert [rollback(now=NOW).name for _ in range(3)] == ["b", "a", "b"]


@pytest.mark.django_db
def test_rollback_skips_pruned_and_damaged_versions():
    for version in named("a", "b", "c", "d"):
        promote(version=version, now=NOW)
    (folder_of(name="c") / "model.json").write_text("other")
    ModelVersion.objects.filter(name="b").update(pruned_at=NOW)
    assert rollback(now=NOW).name == "a"


@pytest.mark.django_db
def test_rollback_without_an_active_version():
    make_stored_version()
    with pytest.raises(NoModelError, match="nothing to roll back"):
        rollback(now=NOW)


@pytest.mark.django_db
def test_damaged_version_is_not_promoted():
    active, damaged = named("a", "b")
    promote(version=active, now=NOW)
    (folder_of(name="b") / "model.json").write_text("other")
    with pytest.raises(DamagedModelError) as caught:
        promote(version=damaged, now=NOW)
    assert caught.value.message == (
        "b/model.json has been altered since it was written. Train again or restore b."
    )
    with pytest.raises(PromotionRefusedError) as caught:
        promote(version=make_version(name="c", pruned_at=NOW), now=NOW)
    assert caught.value.message == (
        "The files of c were deleted on 2024-06-01. Choose another version, or train again."
    )
    assert states() == {"a": "active", "b": "candidate", "c": "candidate"}


@pytest.mark.django_db
def test_rollback_works_with_promotion_never(settings):
    for version in named("a", "b"):
        promote(version=version, now=NOW)
    settings.PROMOTION = "never"
    with pytest.raises(PromotionRefusedError, match="PROMOTION is set to “never”"):
        promote(version=ModelVersion.objects.get(name="a"), now=NOW)
    assert rollback(now=NOW).name == "a"


@pytest.mark.django_db
def test_promotion_clears_the_alert():
    make_alert()
    promote(version=make_stored_version(), now=LATER)
    assert Alert.objects.get().cleared_at == LATER


@pytest.mark.django_db
def test_pinning_and_unpinning():
    version = make_stored_version()
    assert pin(version=version, pinned=True).pinned
    assert not pin(version=version, pinned=False).pinned
    with pytest.raises(PromotionRefusedError):
        pin(version=make_version(pruned_at=NOW), pinned=True)


@both_databases
def test_concurrent_promotions_keep_the_chain(database):
    versions = named(*"abcdefgh")
    with ThreadPoolExecutor(8) as threads:
        works = [
            in_thread(threads, lambda version=version: promote(version=version, now=NOW))
            for version in versions
        ]
        assert {work.result().name for work in works} == set("abcdefgh")
    # One after the other: each replaced the one before it, so that going back meets them all.
    met = [ModelVersion.objects.get(state="active").name]
    met += [rollback(now=NOW).name for _ in range(7)]
    assert sorted(met) == list("abcdefgh")
    assert sorted(states().values()) == ["active"] + ["retired"] * 7


@both_databases
def test_two_rollbacks_at_once_go_two_back(database):
    for version in named("a", "b", "c"):
        promote(version=version, now=NOW)
    with ThreadPoolExecutor(2) as threads:
        works = [in_thread(threads, lambda: rollback(now=NOW)) for _ in range(2)]
        assert {work.result().name for work in works} == {"a", "b"}
    assert states() == {"a": "active", "b": "retired", "c": "retired"}
