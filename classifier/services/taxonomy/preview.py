"""What a change of the classification scheme would do, before anybody decides; nothing is written."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from classifier.models import TRUSTED_SOURCES, ModelVersion, Suggestion
from classifier.selectors.reviews import category_key
from classifier.services.taxonomy.changes import judge_texts
from library.catalogue.models import Book, Category, TaxonomyChange
from library.catalogue.selectors.categories import followed
from library.catalogue.services.taxonomy.planning import Plan, Refiling, plan
from library.catalogue.services.taxonomy.requests import Wish
from library.catalogue.services.taxonomy.splitting import text_of
from library.circulation.models import Loan
from library.db import KEYS_A_QUERY, batches

_LISTED = 20
"""Undecided books named: more are found on the page of the books."""
Kind = TaxonomyChange.Kind


def preview(*, wish: Wish, now: datetime) -> dict[str, Any]:
    """Say what a change would do to books, loans, suggestions and the model's accuracy.

    Parameters
    ----------
    wish : Merge, Split, Retire or Move
    now : datetime

    Returns
    -------
    dict
        ``kind``; ``category``; ``words``: from what to what; ``books``: ``moved``, of which ``trusted`` and
        ``model`` by source, and ``undecided``; ``to``: where how many books go; ``undecided``: some of their
        control numbers;
        ``suggestions``: books whose suggestions change; ``loans``: of the books that move, ``all`` and
        ``open``; ``categories``: that get another parent; ``accuracy``: of the active version on its held-out
        books, ``now`` and ``then``, and ``about`` the categories in question (see
        `classifier.pipeline.taxonomy.relabelling.relabelled`), None without a version; ``reviews``: how many
        books are
        ``needed`` to be looked at, and why; ``notes``: what cannot be known, in words.

    Raises
    ------
    TaxonomyError, TaxonomyConflictError
        If the change cannot be made.
    """
    # Imported here: a web process loads numbers only where somebody asks for this.
    from classifier.pipeline.taxonomy.relabelling import told_apart

    made = plan(wish=wish, now=now, opinion=judge_texts)
    trusted = sum(one.from_source in TRUSTED_SOURCES for one in made.refilings)
    notes: list[str] = []
    # What was judged by texts tells nothing of how well texts tell.
    sure = [one for one in made.refilings if one.to_source != Book.CategorySource.MODEL]
    apart = told_apart(*_texts(made, sure)) if made.kind == Kind.SPLIT else {}
    judged = _accuracy(made, apart.get("share"), notes)
    return {
        "kind": made.kind.value,
        "category": str(made.category),
        "words": f"{made.source} → {made.target}",
        "books": {
            "moved": len(made.refilings),
            "trusted": trusted,
            "model": len(made.refilings) - trusted,
            "undecided": len(made.undecided),
        },
        "to": _targets(made),
        "undecided": made.undecided[:_LISTED],
        "suggestions": _suggestions(made),
        "loans": _loans([one.book for one in made.refilings]),
        "categories": sum("parent_id" in fields for fields in made.fields.values()),
        "accuracy": judged,
        "reviews": _reviews(made, sure, apart, judged, notes),
        "notes": notes,
    }


def _accuracy(made: Plan, share: float | None, notes: list[str]) -> dict[str, Any] | None:
    from classifier.pipeline.taxonomy.relabelling import ENOUGH, narrowed, relabelled

    version = ModelVersion.objects.filter(state=ModelVersion.State.ACTIVE).first()
    if version is None or "confusion" not in version.metrics:
        notes.append(_("No version of the model is active, so nothing is known of its accuracy."))
        return None
    now, then = _names(made)
    cells, classes = version.metrics["confusion"], version.metrics["classes"]
    if made.kind == Kind.SPLIT:
        own = category_key(made.category.scheme, made.category.notation)
        found = narrowed(cells, classes, now=now, category=own, share=share)
    else:
        found = relabelled(cells, classes, now=now, then=then)
    about, books = found["about"]["books"], found["now"]["books"]
    if books < ENOUGH:
        notes.append(_("Too few held-out books (%d) to say how accurate the model is.") % books)
    elif made.kind != Kind.MOVE and about < ENOUGH:
        notes.append(
            _("Too few held-out books of these categories (%d) to say how well they are recognised.") % about
        )
    return {"version": version.name, **found}


def _reviews(
    made: Plan,
    sure: Sequence[Refiling],
    apart: dict[str, Any],
    judged: dict[str, Any] | None,
    notes: list[str],
) -> dict[str, Any]:
    """Return how many books a person should look at afterwards."""
    from classifier.pipeline.taxonomy.relabelling import ENOUGH, examples_needed

    found: dict[str, Any] = {
        "unfiled": sum(one.to is None for one in made.refilings),
        "undecided": len(made.undecided),
        "guessed": len(made.refilings) - len(sure) if made.kind == Kind.SPLIT else 0,
        "told_apart": {"books": apart.get("books", 0), "share": apart.get("share")},
        "examples": None,
        "missing": 0,
    }
    waiting = found["unfiled"] + found["undecided"] + found["guessed"]
    if made.kind == Kind.SPLIT and apart["share"] is None:
        notes.append(
            _(
                "Too few books (%(books)d) go to the new categories by a person's list or words to say how "
                "well they can be told apart: it takes %(enough)d, of two categories."
            )
            % {"books": apart["books"], "enough": ENOUGH}
        )
    elif made.kind == Kind.SPLIT:
        target = judged["about"]["now"] if judged else None
        if target is not None:
            found["examples"] = examples_needed(apart["curve"], target=target)
        if found["examples"] is None:
            notes.append(_("How many books each new category needs cannot be told from these."))
        else:
            there = Counter(one.to for one in sure)
            found["missing"] = sum(max(0, found["examples"] - books) for books in there.values())
    # A book that is looked at is an example too.
    return found | {"needed": max(waiting, found["missing"])}


def _texts(made: Plan, sure: Sequence[Refiling]) -> tuple[list[str], list[int]]:
    books = Book.objects.filter(category=made.category).only("title", "subtitle", "description")
    texts = {book.pk: text_of(book) for book in books.iterator()}
    targets = list(dict.fromkeys(one.to for one in sure))
    return [texts[one.book] for one in sure], [targets.index(one.to) for one in sure]


def _names(made: Plan) -> tuple[dict[str, str | None], dict[str, str | None]]:
    """Return what classes are called now and would be called then, where that is otherwise."""
    rows = {row.pk: row for row in Category.objects.all()}
    key = {pk: category_key(row.scheme, row.notation) for pk, row in rows.items()}
    retired = {pk: row.replaced_by_id for pk, row in rows.items() if row.retired_at}
    more = {pk: fields["replaced_by_id"] for pk, fields in made.fields.items() if fields.get("retired_at")}

    def names(places: dict[int, int | None]) -> dict[str, str | None]:
        return {key[pk]: None if to is None else key[to] for pk, to in places.items()}

    return names(followed(retired)), names(followed(retired | more))


def _targets(made: Plan) -> list[dict[str, Any]]:
    counted = Counter(one.to for one in made.refilings)
    names = Category.objects.in_bulk([to for to in counted if isinstance(to, int)])
    fresh = {
        child.notation: f"{child.notation} {child.label_en or child.label_zh}".strip() for child in made.new
    }
    return [
        {
            "category": (
                _("no category") if to is None else fresh[to] if isinstance(to, str) else str(names[to])
            ),
            "new": isinstance(to, str),
            "books": books,
        }
        for to, books in counted.most_common()
    ]


def _suggestions(made: Plan) -> int:
    gone = [pk for pk, fields in made.fields.items() if fields.get("retired_at")]
    return Suggestion.objects.filter(category__in=gone).values("book").distinct().count()


def _loans(books: Sequence[int]) -> dict[str, int]:
    found = Counter(all=0, open=0)
    for some in batches(books, KEYS_A_QUERY):
        loans = Loan.objects.filter(copy__book__in=some)
        found["all"] += loans.count()
        found["open"] += loans.filter(returned_at=None).count()
    return dict(found)
