"""The weekly look for drift: figures kept, findings in words, alarms raised and cleared."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from classifier.messages import spoken
from classifier.models import Alarm, DriftReport, ModelVersion, Suggestion
from classifier.services.classification.reclassify import classify
from classifier.services.registry.versions import load_version
from classifier.services.review.verdicts import accept_suggestion
from classifier.services.training.drift import look_for_drift, reviewed_suggestions
from classifier.services.training.training import train
from classifier.tasks import look_for_drift as task
from library.catalogue.models import Book, Category
from tests.classifier.factories import make_alarm, make_review, make_suggestion
from tests.classifier.libraries import QUICK, make_library
from tests.factories import NOW, make_book
from tests.logins import desk, make_librarian

pytestmark = pytest.mark.django_db

AGO = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture
def version(monkeypatch):
    """A version trained on a small library; fewer books than usual are enough to tell."""
    monkeypatch.setattr("classifier.pipeline.monitoring.drift.MIN_BOOKS", 5)
    monkeypatch.setattr("classifier.services.training.drift.MIN_BOOKS", 5)
    make_library()
    Book.objects.update(created_at=AGO, language="en")
    train(now=AGO + timedelta(days=1), settings=QUICK)
    return ModelVersion.objects.get()


def words(report):
    return [spoken(finding) for finding in report.findings]


def test_with_nothing_new_nothing_is_said_but_that(version):
    make_alarm(kind="books", about="cover")
    report = look_for_drift(now=NOW)
    assert (report.version, report.made_at, report.alarms) == (version, NOW, 0)
    assert words(report) == [
        f"0 books have come since {version.name} was trained; from 5 on, they are compared with those it "
        "learned from.",
        f"0 suggestions of {version.name} have been reviewed; from 5 on, they are compared with "
        "what it promised.",
    ]
    assert Alarm.objects.get().cleared_at == NOW


def test_books_in_another_language_and_other_words_raise_alarms_in_words(version):
    for number in range(40):
        make_book(title=f"qwrt{number} psdf{number}", language="eo")
    report = look_for_drift(now=timezone.now())
    alarms = {alarm.about: alarm.words for alarm in Alarm.objects.filter(kind="books", cleared_at=None)}
    assert alarms["languages"] == (
        f"The books that have come since {version.name} was trained are in other languages: en 100% → 0%, "
        "eo 0% → 100%. It has seen too few such books to know them. Categorise some of them, and train again."
    )
    assert alarms["unknown_words"].startswith("100% of the words in new books are unknown to ")
    assert alarms["description"] == (
        f"Of the books that have come since {version.name} was trained, 0% have a description; of those it "
        "learned from, 100% do. If this is meant, train again; if not, look at how books are imported."
    )
    assert alarms["loans"].endswith("If loans are missing, import them; if not, train again.")
    assert report.alarms == len(alarms)
    page = desk(make_librarian()).get(f"/admin/classifier/driftreport/{report.pk}/change/").content.decode()
    for shown in ("<svg", "0% → 100%", "unknown words", alarms["unknown_words"][:40]):
        assert shown in page


def suggested(version):
    classify(now=NOW)
    return list(Suggestion.objects.filter(rank=1, model_version=version).order_by("book"))


def test_what_librarians_made_of_suggestions_are_the_reviews(version):
    reviewer = make_librarian()
    first, second, third, fourth, *_ = suggested(version)
    accept_suggestion(suggestion=first, reviewer=reviewer, now=NOW)
    other = make_suggestion(book=second.book, rank=9, model_version=version)
    accept_suggestion(suggestion=other, reviewer=reviewer, now=NOW)
    make_review(suggestion=third, at=NOW)
    make_review(suggestion=third, verdict="accept", category=third.category, at=NOW)  # its second word
    make_review(suggestion=fourth, verdict="unknown")
    make_review(suggestion=fourth, withdrawn_at=NOW)
    learned = make_suggestion(book=Book.objects.get(control_number="b000"), rank=9, model_version=version)
    make_review(suggestion=learned)
    make_review()  # of another version
    pairs = list(reviewed_suggestions(version=version, model=load_version(version=version)))
    key, chosen = (f"local/{row.category.notation}" for row in (second, other))
    assert [(pair.suggested, pair.chosen, pair.probability) for pair in pairs] == [
        (f"local/{first.category.notation}", f"local/{first.category.notation}", first.probability),
        (key, chosen, second.probability),
        (f"local/{third.category.notation}", "", third.probability),
    ]


def test_who_corrected_to_what_the_category_has_become_since_agrees(version):
    first, *_ = suggested(version)
    merged = first.category
    into = Category.objects.exclude(pk=merged.pk).first()
    make_review(suggestion=first, verdict="correct", category=into)
    (before,) = reviewed_suggestions(version=version, model=load_version(version=version))
    assert before.suggested != before.chosen
    Category.objects.filter(pk=merged.pk).update(retired_at=NOW, replaced_by=into)
    (after,) = reviewed_suggestions(version=version, model=load_version(version=version))
    assert after.suggested == after.chosen == f"local/{into.notation}"


def test_reviewers_who_disagree_raise_two_alarms(version):
    rows = suggested(version)
    for row in rows:
        make_review(suggestion=row, probability=0.9)
    look_for_drift(now=NOW)
    found = {alarm.kind: alarm.words for alarm in Alarm.objects.all()}
    assert found["agreement"] == (
        f"Reviewers took 0% of the first suggestions of {version.name}, of which it was 90% sure (6 books). "
        "Look at which categories they chose instead, and train again."
    )
    assert found["calibration"].startswith(
        f"On 6 reviewed books the probabilities of {version.name} are off by 0.90"
    )


def test_the_task_does_nothing_before_anything_is_trained():
    task()
    assert not DriftReport.objects.exists()


def test_the_task_writes_a_report(version):
    task()
    assert DriftReport.objects.get().version == version
