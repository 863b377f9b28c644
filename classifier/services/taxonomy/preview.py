"""Preview of a category change; nothing is written."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from classifier.models import TRUSTED_SOURCES, ModelVersion, Suggestion
from classifier.selectors.reviews import category_key
from classifier.services.taxonomy.changes import classify_texts
from library.catalogue.models import Book, Category, TaxonomyChange
from library.catalogue.selectors.categories import resolve_replacements
from library.catalogue.services.taxonomy.planning import Plan, Refiling, plan
from library.catalogue.services.taxonomy.requests import TaxonomyChangeRequest
from library.catalogue.services.taxonomy.splitting import book_text
from library.circulation.models import Loan
from library.db import KEYS_PER_QUERY, batches

_MAX_LISTED = 20
"""Undecided books listed; the page of books has them all."""
Kind = TaxonomyChange.Kind


def preview(*, change_request: TaxonomyChangeRequest, now: datetime) -> dict[str, Any]:
    """Return the effects of a change on books, loans, suggestions and the model's accuracy.

    Returns
    -------
    dict
        ``kind``; ``category``; ``summary``, from what to what; ``books``: the number ``moved``, of these
        ``trusted`` and ``model`` by source, and ``undecided``; ``to``: number of books by target;
        ``undecided``: some of their control numbers; ``suggestions``: books whose suggestions change;
        ``loans`` of the books that move: ``all`` and ``open``; ``categories`` that get another parent;
        ``accuracy`` of the active version on its held-out books, ``now`` and ``then``, and ``about`` the
        categories concerned (`relabelled_metrics`), None without a version; ``reviews``: the number of books
        ``needed`` to review, and why; ``notes``: messages about what cannot be estimated.

    Raises
    ------
    TaxonomyError, TaxonomyConflictError
        If the change is invalid.
    """
    # Imported here, so that a web process loads numpy only when needed.
    from classifier.pipeline.taxonomy.relabelling import child_separability

    planned = plan(change_request=change_request, now=now, text_classifier=classify_texts)
    trusted = sum(refiling.from_source in TRUSTED_SOURCES for refiling in planned.refilings)
    notes: list[str] = []
    # Books assigned by their text say nothing about how well texts separate the children.
    certain = [r for r in planned.refilings if r.to_source != Book.CategorySource.MODEL]
    separability = child_separability(*_texts(planned, certain)) if planned.kind == Kind.SPLIT else {}
    accuracy = _accuracy(planned, separability.get("share"), notes)
    return {
        "kind": planned.kind.value,
        "category": str(planned.category),
        "summary": f"{planned.source} → {planned.target}",
        "books": {
            "moved": len(planned.refilings),
            "trusted": trusted,
            "model": len(planned.refilings) - trusted,
            "undecided": len(planned.undecided),
        },
        "to": _targets(planned),
        "undecided": planned.undecided[:_MAX_LISTED],
        "suggestions": _suggestions(planned),
        "loans": _loans([refiling.book for refiling in planned.refilings]),
        "categories": sum("parent_id" in fields for fields in planned.fields.values()),
        "accuracy": accuracy,
        "reviews": _reviews(planned, certain, separability, accuracy, notes),
        "notes": notes,
    }


def _accuracy(planned: Plan, share: float | None, notes: list[str]) -> dict[str, Any] | None:
    from classifier.pipeline.taxonomy.relabelling import MIN_BOOKS, relabelled_metrics, split_metrics

    version = ModelVersion.objects.filter(state=ModelVersion.State.ACTIVE).first()
    if version is None or "confusion" not in version.metrics:
        notes.append(_("Accuracy is unknown: no model version is active."))
        return None
    now, then = _names(planned)
    cells, classes = version.metrics["confusion"], version.metrics["classes"]
    if planned.kind == Kind.SPLIT:
        own = category_key(planned.category.scheme, planned.category.notation)
        metrics = split_metrics(cells, classes, now=now, category=own, share=share)
    else:
        metrics = relabelled_metrics(cells, classes, now=now, then=then)
    about, books = metrics["about"]["books"], metrics["now"]["books"]
    if books < MIN_BOOKS:
        notes.append(_("Too few test books (%d) to estimate the accuracy of the model.") % books)
    elif planned.kind != Kind.MOVE and about < MIN_BOOKS:
        notes.append(
            _("Too few test books (%d) in these categories to estimate how well they are recognised.") % about
        )
    return {"version": version.name, **metrics}


def _reviews(
    planned: Plan,
    certain: Sequence[Refiling],
    separability: dict[str, Any],
    accuracy: dict[str, Any] | None,
    notes: list[str],
) -> dict[str, Any]:
    from classifier.pipeline.taxonomy.relabelling import MIN_BOOKS, examples_needed

    counts: dict[str, Any] = {
        "unfiled": sum(refiling.to is None for refiling in planned.refilings),
        "undecided": len(planned.undecided),
        "guessed": len(planned.refilings) - len(certain) if planned.kind == Kind.SPLIT else 0,
        "separability": {"books": separability.get("books", 0), "share": separability.get("share")},
        "examples": None,
        "missing": 0,
    }
    waiting = counts["unfiled"] + counts["undecided"] + counts["guessed"]
    if planned.kind == Kind.SPLIT and separability["share"] is None:
        notes.append(
            _(
                "Too few books (%(books)d) are assigned to the new categories by list or by words to "
                "estimate how well the categories can be separated. At least %(enough)d books in two "
                "categories are needed."
            )
            % {"books": separability["books"], "enough": MIN_BOOKS}
        )
    elif planned.kind == Kind.SPLIT:
        target = accuracy["about"]["now"] if accuracy else None
        if target is not None:
            counts["examples"] = examples_needed(separability["curve"], target=target)
        if counts["examples"] is None:
            notes.append(
                _("The number of books each new category needs cannot be estimated from these books.")
            )
        else:
            existing = Counter(refiling.to for refiling in certain)
            counts["missing"] = sum(max(0, counts["examples"] - books) for books in existing.values())
    # A reviewed book is an example too.
    return counts | {"needed": max(waiting, counts["missing"])}


def _texts(planned: Plan, certain: Sequence[Refiling]) -> tuple[list[str], list[int]]:
    books = Book.objects.filter(category=planned.category).only("title", "subtitle", "description")
    texts = {book.pk: book_text(book) for book in books.iterator()}
    targets = list(dict.fromkeys(refiling.to for refiling in certain))
    return [texts[r.book] for r in certain], [targets.index(r.to) for r in certain]


def _names(planned: Plan) -> tuple[dict[str, str | None], dict[str, str | None]]:
    """Return the names of classes now and after the change, where they differ from the model's."""
    rows = {row.pk: row for row in Category.objects.all()}
    key = {pk: category_key(row.scheme, row.notation) for pk, row in rows.items()}
    retired = {pk: row.replaced_by_id for pk, row in rows.items() if row.retired_at}
    to_retire = {
        pk: fields["replaced_by_id"] for pk, fields in planned.fields.items() if fields.get("retired_at")
    }

    def names(targets: dict[int, int | None]) -> dict[str, str | None]:
        return {key[pk]: None if to is None else key[to] for pk, to in targets.items()}

    return names(resolve_replacements(retired)), names(resolve_replacements(retired | to_retire))


def _targets(planned: Plan) -> list[dict[str, Any]]:
    counts = Counter(refiling.to for refiling in planned.refilings)
    names = Category.objects.in_bulk([to for to in counts if isinstance(to, int)])
    new = {
        child.notation: f"{child.notation} {child.label_en or child.label_zh}".strip()
        for child in planned.new
    }
    return [
        {
            "category": (
                _("no category") if to is None else new[to] if isinstance(to, str) else str(names[to])
            ),
            "new": isinstance(to, str),
            "books": books,
        }
        for to, books in counts.most_common()
    ]


def _suggestions(planned: Plan) -> int:
    retired = [pk for pk, fields in planned.fields.items() if fields.get("retired_at")]
    return Suggestion.objects.filter(category__in=retired).values("book").distinct().count()


def _loans(books: Sequence[int]) -> dict[str, int]:
    counts = Counter(all=0, open=0)
    for keys in batches(books, KEYS_PER_QUERY):
        loans = Loan.objects.filter(copy__book__in=keys)
        counts["all"] += loans.count()
        counts["open"] += loans.filter(returned_at=None).count()
    return dict(counts)
