"""Flow diagram of a batch: how many books move from one category to another."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Count
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from classifier.models import Batch, Change
from library.catalogue.models import Category

MAX_FLOWS = 12
"""Flows drawn, largest first; more would not be distinguishable."""
_LEFT, _RIGHT = 240, 480  # end of the left labels and start of the right ones, in a width of 720
_HEIGHT = 18  # per flow, so that its label is readable
_MAX_LABEL_LENGTH = 28
_MOVES = (Change.Kind.NEW, Change.Kind.MOVED, Change.Kind.GONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Books that move from one category to another; None means no suggestion."""

    source: int | None
    target: int | None
    books: int


def flows_of(*, batch: Batch) -> list[Flow]:
    """Return the flows between categories, the largest first."""
    pairs = batch.changes.filter(kind__in=_MOVES).values_list("from_category", "to_category")
    rows = pairs.annotate(books=Count("pk")).order_by("-books", "from_category", "to_category")
    return [Flow(source=source, target=target, books=books) for source, target, books in rows]


def flow_diagram(batch: Batch) -> SafeString:
    """Return the diagram as SVG; a sentence if the batch moves no books."""
    flows = flows_of(batch=batch)
    drawn = flows[:MAX_FLOWS]
    categories = Category.objects.in_bulk({pk for f in drawn for pk in (f.source, f.target) if pk})
    names = {pk: str(category) for pk, category in categories.items()} | {None: _("No suggestion")}
    height = max(1, len(drawn)) * _HEIGHT + 8
    # Square roots keep a flow of three books visible beside one of three thousand.
    width = {flow: max(1.5, (_HEIGHT - 4) * (flow.books / drawn[0].books) ** 0.5) for flow in drawn}
    left = _positions(sorted(drawn, key=lambda f: (_rank(drawn, "source", f), -f.books)), height)
    right = _positions(sorted(drawn, key=lambda f: (_rank(drawn, "target", f), -f.books)), height)
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
        "other_books": sum(flow.books for flow in flows[MAX_FLOWS:]),
    }
    return render_to_string("classifier/flow_diagram.html", context)


def _rank(flows: Sequence[Flow], side: str, flow: Flow) -> int:
    """Return the rank of a flow's category on one side, by its largest flow."""
    return next(i for i, other in enumerate(flows) if getattr(other, side) == getattr(flow, side))


def _positions(flows: Sequence[Flow], height: float) -> dict[Flow, float]:
    step = height / max(1, len(flows))
    return {flow: (index + 0.5) * step for index, flow in enumerate(flows)}


def _labels(
    flows: Sequence[Flow], side: str, positions: Mapping[Flow, float], names: Mapping[int | None, str]
) -> list[dict[str, object]]:
    """Return one label per category of a side, at the mean height of its flows, with its number of books."""
    by_category: dict[int | None, list[Flow]] = defaultdict(list)
    for flow in flows:
        by_category[getattr(flow, side)].append(flow)
    return [
        {
            "y": f"{sum(positions[flow] for flow in category_flows) / len(category_flows) + 4:.1f}",
            "name": names[key][:_MAX_LABEL_LENGTH],
            "books": sum(flow.books for flow in category_flows),
        }
        for key, category_flows in by_category.items()
    ]
