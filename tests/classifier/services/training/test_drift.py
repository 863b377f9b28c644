"""Weekly drift check: metrics, findings and alerts."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from classifier.messages import render
from classifier.models import Alert, DriftReport, ModelVersion, Suggestion
from classifier.services.classification.reclassify import classify
from classifier.services.registry.versions import load_version
from classifier.services.review.verdicts import accept_suggestion
from classifier.services.runs.context import JobContext
from classifier.services.training.drift import check_drift, reviewed_suggestions
from classifier.services.training.training import train
from classifier.tasks import check_drift as task
from library.catalogue.models import Book, Category
from tests.classifier.factories import make_alert, make_review, make_suggestion
from tests.classifier.libraries import QUICK, make_library
from tests.factories import NOW, make_book
from tests.logins import desk, make_librarian

pytestmark = pytest.mark.django_db

AGO = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture
def version(monkeypatch):
    """A version trained on a small library, with a lower minimum of books."""
    monkeypatch.setattr("classifier.pipeline.monitoring.drift.MIN_BOOKS", 5)
    monkeypatch.setattr("classifier.services.training.drift.MIN_BOOKS", 5)
    make_library()
    Book.objects.update(created_at=AGO, language="en")
    train(JobContext(now=AGO + timedelta(days=1)), settings=QUICK)
    return ModelVersion.objects.get()


def findings(report):
    return [render(finding) for finding in report.findings]


def test_no_new_books(version):
    make_alert(kind="books", about="cover")
    report = check_drift(now=NOW)
    assert (report.version, report.created_at, report.alerts) == (version, NOW, 0)
    assert findings(report) == [
        f"0 books have been added since {version.name} was trained. At least 5 are needed to compare them "
        "with the earlier books.",
        f"0 suggestions of {version.name} have been reviewed. At least 5 are needed to compare them with its "
        "confidence.",
    ]
    assert Alert.objects.get().cleared_at == NOW


def test_new_language_and_words_raise_alerts(version):
    for number in range(40):
        make_book(title=f"qwrt{number} psdf{number}", language="eo")
    report = check_drift(now=timezone.now())
    alerts = {alert.about: alert.text for alert in Alert.objects.filter(kind="books", cleared_at=None)}
    assert alerts["languages"] == (
        f"The books added since {version.name} was trained have a different language mix: en 100% → 0%, "
        "eo 0% → 100%. Categorise some of them, then train again."
    )
    assert alerts["unknown_words"].startswith("100% of the words in new books are unknown to ")
    assert alerts["description"] == (
        f"0% of the books added since {version.name} was trained have a description, compared with 100% of "
        "the earlier books. Train again if this is intended; otherwise check the imports."
    )
    assert alerts["loans"].endswith("Import missing loans, or train again.")
    assert report.alerts == len(alerts)
    page = desk(make_librarian()).get(f"/admin/classifier/driftreport/{report.pk}/change/").content.decode()
    for shown in ("<svg", "0% → 100%", "unknown words", alerts["unknown_words"][:40]):
        assert shown in page


def suggested(version):
    classify(JobContext(now=NOW))
    return list(Suggestion.objects.filter(rank=1, model_version=version).order_by("book"))


def test_first_verdict_per_book_counts(version):
    reviewer = make_librarian()
    first, second, third, fourth, *_ = suggested(version)
    accept_suggestion(suggestion=first, reviewer=reviewer, now=NOW)
    other = make_suggestion(book=second.book, rank=9, model_version=version)
    accept_suggestion(suggestion=other, reviewer=reviewer, now=NOW)
    make_review(suggestion=third, created_at=NOW)
    make_review(suggestion=third, verdict="accept", category=third.category, created_at=NOW)  # second
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


def test_correction_to_a_merged_category_agrees(version):
    first, *_ = suggested(version)
    merged = first.category
    into = Category.objects.exclude(pk=merged.pk).first()
    make_review(suggestion=first, verdict="correct", category=into)
    (before,) = reviewed_suggestions(version=version, model=load_version(version=version))
    assert before.suggested != before.chosen
    Category.objects.filter(pk=merged.pk).update(retired_at=NOW, replaced_by=into)
    (after,) = reviewed_suggestions(version=version, model=load_version(version=version))
    assert after.suggested == after.chosen == f"local/{into.notation}"


def test_reviewers_who_disagree_raise_two_alerts(version):
    rows = suggested(version)
    for row in rows:
        make_review(suggestion=row, probability=0.9)
    check_drift(now=NOW)
    found = {alert.kind: alert.text for alert in Alert.objects.all()}
    assert found["agreement"] == (
        f"Reviewers accepted 0% of the first suggestions of {version.name}, although its mean confidence was "
        "90% (6 books). Check which categories they chose instead, then train again."
    )
    assert found["calibration"].startswith(
        f"The calibration error of {version.name} on 6 reviewed books is 0.90; chance alone accounts for"
    )


def test_task_without_a_version_does_nothing():
    task()
    assert not DriftReport.objects.exists()


def test_the_task_writes_a_report(version):
    task()
    assert DriftReport.objects.get().version == version
