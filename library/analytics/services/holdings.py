"""What is held is counted, with how much of it was ever lent."""

from django.conf import settings
from django.db.models import (
    BigIntegerField,
    Count,
    Exists,
    F,
    IntegerField,
    OuterRef,
    Q,
    Subquery,
    Sum,
    Value,
)
from django.db.models.functions import Cast, Floor

from library.analytics.models import HoldingCount
from library.analytics.selectors.titles import GONE
from library.analytics.services.tables import insert_rows, writing_alone
from library.catalogue.models import Book, Branch, Copy

_YEARS = 10


def count_holdings() -> None:
    """Count all that is held anew, once for each branch and once for all copies.

    Nothing tells which titles were bought, refiled or withdrawn since the last time. It takes a second or
    two for 200,000 titles.
    """
    with writing_alone():
        HoldingCount.objects.all().delete()
        for branch in [None, *Branch.objects.values_list("pk", flat=True)]:
            _count_at(branch)


def _count_at(branch: int | None) -> None:
    copies = Copy.objects.filter(book=OuterRef("pk")).exclude(status__in=GONE).order_by()
    if branch is not None:
        copies = copies.filter(branch=branch)
    number = Subquery(
        copies.values("book").annotate(number=Count("pk")).values("number"), output_field=IntegerField()
    )
    titles = Book.objects.filter(Exists(copies)).order_by().annotate(
        held=number,
        decade=Cast(Floor(F("year") / float(_YEARS)) * _YEARS, IntegerField()),
        at_branch=Value(branch, BigIntegerField()),
    )  # fmt: skip
    insert_rows(
        into=HoldingCount,
        columns=(
            "branch_id", "category_id", "decade", "copies", "titles", "lent", "seldom_lent", "years",
        ),
        rows=titles.values_list("at_branch", "category", "decade").annotate(
            Sum("held"),
            Count("pk"),
            lent=Count("pk", filter=Q(use__checkouts__gt=0)),
            seldom=Count("pk", filter=Q(use__checkouts__gt=0, use__checkouts__lt=settings.POPULARITY_MIN)),
            years=Sum("year"),
        ),
    )  # fmt: skip
