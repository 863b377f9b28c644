"""Public lists of titles, in order and with reasons.

Separate from `classifier.selectors.records`, so that a web process loads no numpy.
"""

from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.utils.formats import date_format, number_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from classifier.models import Listing
from library.catalogue.models import Copy
from library.catalogue.selectors.categories import descendants

_KIND = Listing.Kind
_COUNTED_BY_BRANCH = (_KIND.POPULAR, _KIND.TRENDING)


def listed_titles(
    *,
    kind: str,
    branch: int | None = None,
    category: int | None = None,
    language: str = "",
    available: bool = False,
) -> QuerySet[Listing]:
    """Return the titles of a list with their books, best first; equal ones by control number.

    Parameters
    ----------
    kind
        One of `Listing.Kind`.
    branch
        Primary key: for popular and trending titles the branch of the checkouts, for others of a copy.
    category
        Primary key; includes its descendants.
    available
        Only titles with an available copy, at the branch if there is one; hidden gems always.
    """
    by_branch = branch if kind in _COUNTED_BY_BRANCH else None
    rows = Listing.objects.filter(kind=kind, branch=by_branch).select_related("book__category", "branch")
    copies = Copy.objects.filter(book=OuterRef("book"))
    if branch is not None:
        copies = copies.filter(branch=branch)
    if available or kind == _KIND.HIDDEN_GEM:
        rows = rows.filter(Exists(copies.filter(status=Copy.Status.AVAILABLE)))
    elif branch is not None and by_branch is None:
        rows = rows.filter(Exists(copies.exclude(status__in=Copy.GONE)))
    if category is not None:
        rows = rows.filter(book__category__in=descendants(category=category))
    if language:
        rows = rows.filter(book__language=language)
    return rows.order_by("-score", "control_number")


def reason(listing: Listing) -> dict[str, Any]:
    """Return the facts behind a title's place on a list, as JSON.

    Returns
    -------
    dict
        ``list``, and those of ``branch``, ``loans``, ``expected`` and ``since`` (a date) that apply.
    """
    facts: dict[str, Any] = {"list": listing.kind}
    if listing.branch:
        facts["branch"] = listing.branch.name
    if listing.loans is not None:
        facts["loans"] = listing.loans
    if listing.expected is not None:
        facts["expected"] = round(listing.expected, 1)
    if listing.since is not None:
        facts["since"] = localtime(listing.since).date()
    return facts


def reason_text(facts: dict[str, Any]) -> str:
    """Return a `reason` as a sentence in the current language.

    Numbers for all branches together are minima: groups of too few loans are suppressed.
    """
    if facts["list"] == _KIND.LATEST:
        return _("Added on %(since)s") % {"since": date_format(facts["since"], "DATE_FORMAT")}
    if facts["list"] == _KIND.HIDDEN_GEM:
        text = _("Rarely borrowed, although similar titles go out %(times)s+ times a year")
    elif facts["list"] == _KIND.TRENDING:
        facts = facts | {"expected": number_format(facts["expected"], decimal_pos=1)}
        text = (
            _("Borrowed %(times)s times at %(branch)s in the last 30 days; %(expected)s expected")
            if "branch" in facts
            else _("Borrowed %(times)s+ times in the last 30 days; %(expected)s expected")
        )
    elif "branch" in facts:
        text = _("Borrowed %(times)s times at %(branch)s in the last year")
    else:
        text = _("Borrowed %(times)s+ times in the last year")
    return text % (facts | {"times": facts["loans"]})
