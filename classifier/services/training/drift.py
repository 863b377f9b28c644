"""Weekly drift check: does the active version still fit new books and the reviewers' decisions?"""

from collections.abc import Iterable
from datetime import datetime
from itertools import chain
from typing import Any

from django.utils.translation import gettext_noop as _

from classifier.messages import Message, message
from classifier.models import Alert, DriftReport, ModelVersion, Review
from classifier.pipeline.model import TrainedModel
from classifier.pipeline.monitoring.drift import (
    MIN_BOOKS,
    SAMPLE_SIZE,
    ReviewOutcome,
    input_drift,
    profile_catalogue,
    review_agreement,
    review_calibration,
)
from classifier.pipeline.records import Catalogue
from classifier.selectors.records import all_books, catalogue, category_key
from classifier.services.registry.alerts import set_alerts
from classifier.services.registry.versions import load_serving
from library.catalogue.models import Book, Category
from library.catalogue.selectors.categories import current_categories

_PARTS = {"description": _("a description"), "cover": _("a cover"), "audio": _("a recording")}
_SHARE = _(
    "%(now)s of the books added since %(version)s was trained have %(part)s, compared "
    "with %(then)s of the earlier books. Train again if this is intended; otherwise "
    "check the imports."
)
_LENT = _(
    "%(now)s of all books have been borrowed at least once, compared with %(then)s when "
    "%(version)s was trained, so its loan evidence is less reliable. Import missing "
    "loans, or train again."
)
_LANGUAGES = _(
    "The books added since %(version)s was trained have a different language mix: "
    "%(shares)s. Categorise some of them, then train again."
)
_UNKNOWN = _(
    "%(now)s of the words in new books are unknown to %(version)s, compared with "
    "%(then)s at training time. Train again to learn them."
)
_UNSURE = _(
    "The mean confidence of %(version)s on new books is %(now)s, compared with %(then)s "
    "on its test books, so more books will get no suggestion. Categorise some of them, "
    "then train again."
)
_DISAGREE = _(
    "Reviewers accepted %(agreed)s of the first suggestions of %(version)s, although its "
    "mean confidence was %(promised)s (%(books)s books). Check which categories they "
    "chose instead, then train again."
)
_MISJUDGED = _(
    "The calibration error of %(version)s on %(books)s reviewed books is %(error)s; "
    "chance alone accounts for %(noise)s. Do not rely on the target precision until you "
    "train again."
)
_FEW_BOOKS = _(
    "%(books)s books have been added since %(version)s was trained. At least %(least)s "
    "are needed to compare them with the earlier books."
)
_FEW_REVIEWS = _(
    "%(books)s suggestions of %(version)s have been reviewed. At least %(least)s are "
    "needed to compare them with its confidence."
)
_BOOKS_FIT = _("The books added since %(version)s was trained are similar to the earlier books.")
_REVIEWERS_AGREE = _(
    "Reviewers accepted %(agreed)s of the first suggestions of %(version)s, in line with "
    "its mean confidence (%(promised)s)."
)


def check_drift(*, now: datetime) -> DriftReport:
    """Measure and store the drift of the active version, and raise or clear alerts.

    Raises
    ------
    NoModelError
        If no version is active.
    DamagedModelError
        With an alert, if none can be loaded.
    """
    version, model = load_serving(now=now)
    books = catalogue(all_books())
    added = set(
        Book.objects.filter(created_at__gt=version.created_at)
        .order_by("-created_at", "-pk")
        .values_list("control_number", flat=True)[:SAMPLE_SIZE]
    )
    new = Catalogue(books=[book for book in books.books if book.id in added], loans=books.loans)
    confidence = model.predict_proba(new).max(axis=1, initial=0)
    profile = version.profile
    metrics: dict[str, Any] = {
        "new_books": len(new.books),
        "input": input_drift(
            then=profile,
            new=profile_catalogue(new, model=model, confidence=confidence),
            whole=profile_catalogue(books, model=model, confidence=model.confidence),
        )
        if profile
        else [],
    }
    reviewed = list(reviewed_suggestions(version=version, model=model))
    metrics |= {"agreement": review_agreement(reviewed), "calibration": review_calibration(reviewed)}
    alerts: dict[str, dict[str, Message]] = {
        Alert.Kind.BOOKS: _books_alerts(metrics["input"], version.name),
        Alert.Kind.AGREEMENT: _agreement_alerts(metrics["agreement"], version.name),
        Alert.Kind.CALIBRATION: _calibration_alerts(metrics["calibration"], version.name),
    }
    for kind, messages in alerts.items():
        set_alerts(kind=kind, messages=messages, now=now)
    raised = list(chain.from_iterable(messages.values() for messages in alerts.values()))
    return DriftReport.objects.create(
        version=version,
        created_at=now,
        metrics=metrics,
        findings=raised + _other_findings(metrics, alerts, version.name),
        alerts=len(raised),
    )


def reviewed_suggestions(*, version: ModelVersion, model: TrainedModel) -> Iterable[ReviewOutcome]:
    """Yield the reviewers' first verdict on each of a version's best suggestions, without training books.

    A rejection has no chosen category. Both categories are today's: a correction from A to B counts as
    agreement if A has been merged into B.
    """
    labels = zip(model.training_index.ids, model.training_index.categories.tolist(), strict=True)
    learned = {book for book, category in labels if category >= 0}
    rows = (
        Review.objects.filter(model_version=version, withdrawn_at=None)
        .exclude(verdict=Review.Verdict.UNKNOWN)
        .order_by("created_at", "pk")
        .values_list("book__control_number", "suggested", "category", "probability")
    )
    current = current_categories()
    names = {row.pk: category_key(row.scheme, row.notation) for row in Category.objects.all()}
    for book, suggested, chosen, probability in rows.iterator():
        if book in learned:
            continue
        learned.add(book)
        yield ReviewOutcome(
            suggested=names[current[suggested] or suggested],
            chosen=names[current[chosen] or chosen] if chosen else "",
            probability=probability,
        )


def _books_alerts(rows: list[dict[str, Any]], version: str) -> dict[str, Message]:
    alerts = {}
    for row in rows:
        what = row["what"]
        if not row["moved"]:
            continue
        if what == "languages":
            changed = sorted(row["shares"], key=lambda share: -abs(share[2] - share[1]))[:3]
            shares = ", ".join(f"{name or '?'} {before:.0%} → {after:.0%}" for name, before, after in changed)
            alerts[what] = message(_LANGUAGES, version=version, shares=shares)
            continue
        text = {"unknown_words": _UNKNOWN, "confidence": _UNSURE, "loans": _LENT}.get(what, _SHARE)
        part = {"part": _PARTS[what]} if what in _PARTS else {}
        alerts[what] = message(
            text, now=f"{row['now']:.0%}", then=f"{row['then']:.0%}", version=version, **part
        )
    return alerts


def _agreement_alerts(agreement: dict[str, Any], version: str) -> dict[str, Message]:
    if not agreement["low"]:
        return {}
    return {version: message(_DISAGREE, version=version, **_shares(agreement))}


def _calibration_alerts(calibration: dict[str, Any], version: str) -> dict[str, Message]:
    if not calibration["off"]:
        return {}
    facts = {
        "error": f"{calibration['error']:.2f}",
        "noise": f"{calibration['noise']:.2f}",
        "books": calibration["books"],
    }
    return {version: message(_MISJUDGED, version=version, **facts)}


def _other_findings(metrics: dict[str, Any], alerts: dict[str, Any], version: str) -> list[Message]:
    """Return the findings without an alert: all is well, or there are too few books or reviews."""
    findings = []
    if metrics["new_books"] < MIN_BOOKS:
        findings.append(message(_FEW_BOOKS, books=metrics["new_books"], version=version, least=MIN_BOOKS))
    elif not alerts[Alert.Kind.BOOKS]:
        findings.append(message(_BOOKS_FIT, version=version))
    reviews = metrics["agreement"]
    if reviews["books"] < MIN_BOOKS:
        findings.append(message(_FEW_REVIEWS, books=reviews["books"], version=version, least=MIN_BOOKS))
    elif not alerts[Alert.Kind.AGREEMENT]:
        findings.append(message(_REVIEWERS_AGREE, version=version, **_shares(reviews)))
    return findings


def _shares(agreement: dict[str, Any]) -> dict[str, Any]:
    return {
        "agreed": f"{agreement['agreed']:.0%}",
        "promised": f"{agreement['promised']:.0%}",
        "books": agreement["books"],
    }
