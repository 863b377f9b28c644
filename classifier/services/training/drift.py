"""The weekly look at whether the active version still fits the books that come and the people who judge."""

from collections.abc import Iterable
from datetime import datetime
from itertools import chain
from typing import Any

from django.utils.translation import gettext_noop as _

from classifier.messages import Sentence, sentence
from classifier.models import Alarm, DriftReport, ModelVersion, Review
from classifier.pipeline.model import TrainedModel
from classifier.pipeline.monitoring.drift import (
    MIN_BOOKS,
    SAMPLE,
    Reviewed,
    agreement,
    calibration,
    input_drift,
    profile,
)
from classifier.pipeline.records import Catalogue
from classifier.selectors.records import all_books, catalogue, category_key
from classifier.services.registry.alarms import settle_alarms
from classifier.services.registry.versions import load_serving
from library.catalogue.models import Book, Category
from library.catalogue.selectors.categories import current_places

_PARTS = {"description": _("a description"), "cover": _("a cover"), "audio": _("a recording")}
_SHARE = _(
    "Of the books that have come since %(version)s was trained, %(now)s have %(part)s; of those it learned "
    "from, %(then)s do. If this is meant, train again; if not, look at how books are imported."
)
_LENT = _(
    "%(now)s of all books have ever been lent; it was %(then)s when %(version)s was trained. What it learned "
    "of who borrows what counts less. If loans are missing, import them; if not, train again."
)
_LANGUAGES = _(
    "The books that have come since %(version)s was trained are in other languages: %(shares)s. It has seen "
    "too few such books to know them. Categorise some of them, and train again."
)
_UNKNOWN = _(
    "%(now)s of the words in new books are unknown to %(version)s; it was %(then)s when it was trained. "
    "Train again, so that it learns them."
)
_UNSURE = _(
    "%(version)s is less sure of new books: %(now)s on average, and it was %(then)s of books it was judged "
    "on. More of them will be left without a suggestion. Categorise some of them, and train again."
)
_DISAGREE = _(
    "Reviewers took %(agreed)s of the first suggestions of %(version)s, of which it was %(promised)s sure "
    "(%(books)s books). Look at which categories they chose instead, and train again."
)
_MISJUDGED = _(
    "On %(books)s reviewed books the probabilities of %(version)s are off by %(error)s on average; chance "
    "would bring %(noise)s. Do not rely on the promised precision until it is trained again."
)
_FEW_BOOKS = _(
    "%(books)s books have come since %(version)s was trained; from %(least)s on, they are compared with "
    "those it learned from."
)
_FEW_REVIEWS = _(
    "%(books)s suggestions of %(version)s have been reviewed; from %(least)s on, they are compared with what "
    "it promised."
)
_BOOKS_FIT = _("The books that have come since %(version)s was trained are like those it learned from.")
_REVIEWERS_AGREE = _(
    "Reviewers took %(agreed)s of the first suggestions of %(version)s, as it promised (%(promised)s)."
)


def look_for_drift(*, now: datetime) -> DriftReport:
    """Measure drift of the active version, keep the figures, and raise or clear alarms by them.

    Parameters
    ----------
    now : datetime

    Raises
    ------
    NoModelError
        If no version is active.
    DamagedModelError
        If none can be loaded; an alarm says so.
    """
    version, model = load_serving(now=now)
    books = catalogue(all_books())
    added = set(
        Book.objects.filter(created_at__gt=version.created_at)
        .order_by("-created_at", "-pk")
        .values_list("control_number", flat=True)[:SAMPLE]
    )
    new = Catalogue(books=[book for book in books.books if book.id in added], loans=books.loans)
    confidence = model.predict_proba(new).max(axis=1, initial=0)
    then = version.profile
    figures: dict[str, Any] = {
        "new_books": len(new.books),
        "input": input_drift(
            then=then,
            new=profile(new, model=model, confidence=confidence),
            every=profile(books, model=model, confidence=model.confidence),
        )
        if then
        else [],
    }
    reviewed = list(reviewed_suggestions(version=version, model=model))
    figures |= {"agreement": agreement(reviewed), "calibration": calibration(reviewed)}
    found: dict[str, dict[str, Sentence]] = {
        Alarm.Kind.BOOKS: _books_alarms(figures["input"], version.name),
        Alarm.Kind.AGREEMENT: _agreement_alarms(figures["agreement"], version.name),
        Alarm.Kind.CALIBRATION: _calibration_alarms(figures["calibration"], version.name),
    }
    for kind, sentences in found.items():
        settle_alarms(kind=kind, found=sentences, now=now)
    raised = list(chain.from_iterable(sentences.values() for sentences in found.values()))
    return DriftReport.objects.create(
        version=version,
        made_at=now,
        figures=figures,
        findings=raised + _calm(figures, found, version.name),
        alarms=len(raised),
    )


def reviewed_suggestions(*, version: ModelVersion, model: TrainedModel) -> Iterable[Reviewed]:
    """Yield what reviewers made of a version's best suggestions, the first word on each book.

    A book that the version had learned the category of is no test of it. A rejection chose nothing. Both
    categories are those of today: whoever corrected A to B agrees where A has become B since.
    """
    known = zip(model.gallery.ids, model.gallery.categories.tolist(), strict=True)
    learned = {book for book, category in known if category >= 0}
    rows = (
        Review.objects.filter(model_version=version, withdrawn_at=None)
        .exclude(verdict=Review.Verdict.UNKNOWN)
        .order_by("at", "pk")
        .values_list("book__control_number", "suggested", "category", "probability")
    )
    places = current_places()
    names = {row.pk: category_key(row.scheme, row.notation) for row in Category.objects.all()}
    for book, suggested, chosen, probability in rows.iterator():
        if book in learned:
            continue
        learned.add(book)
        yield Reviewed(
            suggested=names[places[suggested] or suggested],
            chosen=names[places[chosen] or chosen] if chosen else "",
            probability=probability,
        )


def _books_alarms(rows: list[dict[str, Any]], version: str) -> dict[str, Sentence]:
    found = {}
    for row in rows:
        what = row["what"]
        if not row["moved"]:
            continue
        if what == "languages":
            changed = sorted(row["shares"], key=lambda share: -abs(share[2] - share[1]))[:3]
            shares = ", ".join(f"{name or '?'} {before:.0%} → {after:.0%}" for name, before, after in changed)
            found[what] = sentence(_LANGUAGES, version=version, shares=shares)
            continue
        text = {"unknown_words": _UNKNOWN, "confidence": _UNSURE, "loans": _LENT}.get(what, _SHARE)
        part = {"part": _PARTS[what]} if what in _PARTS else {}
        found[what] = sentence(
            text, now=f"{row['now']:.0%}", then=f"{row['then']:.0%}", version=version, **part
        )
    return found


def _agreement_alarms(found: dict[str, Any], version: str) -> dict[str, Sentence]:
    if not found["low"]:
        return {}
    return {version: sentence(_DISAGREE, version=version, **_shares(found))}


def _calibration_alarms(found: dict[str, Any], version: str) -> dict[str, Sentence]:
    if not found["off"]:
        return {}
    facts = {"error": f"{found['error']:.2f}", "noise": f"{found['noise']:.2f}", "books": found["books"]}
    return {version: sentence(_MISJUDGED, version=version, **facts)}


def _calm(figures: dict[str, Any], found: dict[str, Any], version: str) -> list[Sentence]:
    """Return what is no alarm: that all is well, or that too little is known."""
    calm = []
    if figures["new_books"] < MIN_BOOKS:
        calm.append(sentence(_FEW_BOOKS, books=figures["new_books"], version=version, least=MIN_BOOKS))
    elif not found[Alarm.Kind.BOOKS]:
        calm.append(sentence(_BOOKS_FIT, version=version))
    reviews = figures["agreement"]
    if reviews["books"] < MIN_BOOKS:
        calm.append(sentence(_FEW_REVIEWS, books=reviews["books"], version=version, least=MIN_BOOKS))
    elif not found[Alarm.Kind.AGREEMENT]:
        calm.append(sentence(_REVIEWERS_AGREE, version=version, **_shares(reviews)))
    return calm


def _shares(found: dict[str, Any]) -> dict[str, Any]:
    return {
        "agreed": f"{found['agreed']:.0%}", "promised": f"{found['promised']:.0%}", "books": found["books"]
    }  # fmt: skip
