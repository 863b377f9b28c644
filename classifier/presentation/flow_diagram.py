"""From which categories to which a batch moves books, as a small picture."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Count
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from classifier.models import Change, Reclassification
from library.catalogue.models import Category

SHOWN = 12
"""Flows drawn, the largest; more could not be told apart."""
_LEFT, _RIGHT = 240, 480  # where labels end and begin, of 720
_HEIGHT = 18  # a flow, so that its label can be read
_MOVES = (Change.Kind.NEW, Change.Kind.MOVED, Change.Kind.GONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Books that go from one category to another; None is no suggestion."""

    source: int | None
    target: int | None
    books: int


def flows_of(*, batch: Reclassification) -> list[Flow]:
    """Return the flows between categories, the largest first."""
    pairs = batch.changes.filter(kind__in=_MOVES).values_list("from_category", "to_category")
    rows = pairs.annotate(books=Count("pk")).order_by("-books", "from_category", "to_category")
    return [Flow(source=source, target=target, books=books) for source, target, books in rows]


def as_svg(batch: Reclassification) -> SafeString:
    """Return the picture of a batch's flows; of one that moves no book, a sentence."""
    flows = flows_of(batch=batch)
    drawn = flows[:SHOWN]
    known = Category.objects.in_bulk({pk for f in drawn for pk in (f.source, f.target) if pk})
    names = {pk: str(category) for pk, category in known.items()} | {None: _("no suggestion")}
    height = max(1, len(drawn)) * _HEIGHT + 8
    # Square roots: a flow of three books is still to be seen beside one of three thousand.
    width = {flow: max(1.5, (_HEIGHT - 4) * (flow.books / drawn[0].books) ** 0.5) for flow in drawn}
    left = _places(sorted(drawn, key=lambda f: (_rank(drawn, "source", f), -f.books)), height)
    right = _places(sorted(drawn, key=lambda f: (_rank(drawn, "target", f), -f.books)), height)
    middle = (_LEFT + _RIGHT) / 2
    context = {
        "height": height,
        "paths": [
            {
                "d": f"M{_LEFT},{left[f]:.1f} C{middle},{left[f]:.1f} "
                f"{middle},{right[f]:.1f} {_RIGHT},{right[f]:.1f}",
                "width": f"{width[f]:.1f}",
                "title": _("%(source)s → %(target)s: %(books)s")
                % {"source": names[f.source], "target": names[f.target], "books": f.books},
            }
            for f in drawn
        ],
        "sources": _labels(drawn, "source", left, names),
        "targets": _labels(drawn, "target", right, names),
        "left": _LEFT - 8,
        "right": _RIGHT + 8,
        "others": len(flows) - len(drawn),
        "other_books": sum(flow.books for flow in flows[SHOWN:]),
    }
    return render_to_string("classifier/flows.html", context)


def _rank(flows: Sequence[Flow], side: str, flow: Flow) -> int:
    """Return the place of a flow's category on one side, by the largest flow it has."""
    return next(i for i, other in enumerate(flows) if getattr(other, side) == getattr(flow, side))


def _places(flows: Sequence[Flow], height: float) -> dict[Flow, float]:
    step = height / max(1, len(flows))
    return {flow: (place + 0.5) * step for place, flow in enumerate(flows)}


def _labels(
    flows: Sequence[Flow], side: str, places: Mapping[Flow, float], names: Mapping[int | None, str]
) -> list[dict[str, object]]:
    """Return each category of a side once, half-way down its flows, with its books."""
    of: dict[int | None, list[Flow]] = defaultdict(list)
    for flow in flows:
        of[getattr(flow, side)].append(flow)
    return [
        {
            "y": f"{sum(places[f] for f in some) / len(some) + 4:.1f}",
            "name": names[key][:28],
            "books": sum(f.books for f in some),
        }
        for key, some in of.items()
    ]
