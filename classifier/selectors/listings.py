"""The lists for nobody in particular: which titles stand on them, in order, and why.

Apart from `classifier.selectors.records`, so that a web process loads no numpy.
"""

from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.utils.formats import date_format, number_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from classifier.models import Listing
from library.catalogue.models import Copy
from library.catalogue.selectors.categories import with_those_below

_KIND = Listing.Kind
_COUNTED_BY_BRANCH = (_KIND.POPULAR, _KIND.TRENDING)


def listed(
    *,
    kind: str,
    branch: int | None = None,
    category: int | None = None,
    language: str = "",
    available: bool = False,
) -> QuerySet[Listing]:
    """Return the titles of a list with their books, the first in front; those alike by control number.

    Parameters
    ----------
    kind : str
        One of `Listing.Kind`.
    branch : int, optional
        Key: what was lent there, and of new titles and treasures those with a copy there.
    category : int, optional
        Key: the books of this category and of those below it.
    language : str
    available : bool
        Only titles of which a copy, at the branch if one is named, can be had now; treasures always.

    Returns
    -------
    QuerySet
        To be sliced.
    """
    by_branch = branch if kind in _COUNTED_BY_BRANCH else None
    rows = Listing.objects.filter(kind=kind, branch=by_branch).select_related("book__category", "branch")
    copies = Copy.objects.filter(book=OuterRef("book"))
    if branch is not None:
        copies = copies.filter(branch=branch)
    if available or kind == _KIND.TREASURE:
        rows = rows.filter(Exists(copies.filter(status=Copy.Status.AVAILABLE)))
    elif branch is not None and by_branch is None:
        rows = rows.filter(Exists(copies.exclude(status__in=Copy.GONE)))
    if category is not None:
        rows = rows.filter(book__category__in=with_those_below(category=category))
    if language:
        rows = rows.filter(book__language=language)
    return rows.order_by("-score", "control_number")


def reason(listing: Listing) -> dict[str, Any]:
    """Return why a title stands on a list: the facts, as JSON.

    Returns
    -------
    dict
        ``list``, and of ``branch``, ``times``, ``expected`` and ``since`` (a date) those that say why.
    """
    facts: dict[str, Any] = {"list": listing.kind}
    if listing.branch:
        facts["branch"] = listing.branch.name
    if listing.times is not None:
        facts["times"] = listing.times
    if listing.expected is not None:
        facts["expected"] = round(listing.expected, 1)
    if listing.since is not None:
        facts["since"] = localtime(listing.since).date()
    return facts


def in_words(facts: dict[str, Any]) -> str:
    """Return a `reason` as a sentence in the current language.

    Of all branches together it says "at least": loans that are too few to be told are left out.
    """
    if facts["list"] == _KIND.LATEST:
        return _("New since %(since)s") % {"since": date_format(facts["since"], "DATE_FORMAT")}
    if facts["list"] == _KIND.TREASURE:
        text = _("Seldom borrowed, though titles like it are: at least %(times)s times a year on average")
    elif facts["list"] == _KIND.TRENDING:
        facts = facts | {"expected": number_format(facts["expected"], decimal_pos=1)}
        text = (
            _("Borrowed %(times)s times at %(branch)s in the last 30 days; %(expected)s were to be expected")
            if "branch" in facts
            else _("Borrowed at least %(times)s times in the last 30 days; %(expected)s were to be expected")
        )
    elif "branch" in facts:
        text = _("Borrowed %(times)s times at %(branch)s in the last year")
    else:
        text = _("Borrowed at least %(times)s times in the last year")
    return text % facts
