"""What is held is counted, with how much of it was ever lent."""

from django.conf import settings
from django.db.models import Count, Exists, F, IntegerField, OuterRef, Q, Sum
from django.db.models.functions import Cast, Floor

from library.analytics.models import HoldingCount
from library.analytics.services.tables import writing_alone
from library.catalogue.models import Copy


def count_holdings() -> None:
    """Count all that is held anew, for each branch and for all of them together.

    Nothing tells which titles were bought, refiled or withdrawn since the last time. It takes a second or
    two for 200,000 titles, however many branches there are.
    """
    with writing_alone():
        HoldingCount.objects.all().delete()
        HoldingCount.objects.bulk_create([*_counted(by_branch=False), *_counted(by_branch=True)])


def _counted(*, by_branch: bool) -> list[HoldingCount]:
    """Count by category and decade; by branch too, where copies without a branch are left out."""
    decade = Cast(Floor(F("book__year") / 10.0) * 10, IntegerField())
    held = Copy.objects.exclude(status__in=Copy.GONE).order_by()
    copies = held.annotate(category_id=F("book__category"), decade=decade)
    another = held.filter(book=OuterRef("book"), pk__lt=OuterRef("pk"))
    keys = ["category_id", "decade"]
    if by_branch:
        copies, another = copies.filter(branch__isnull=False), another.filter(branch=OuterRef("branch"))
        keys.append("branch_id")
    # A title is counted by the first of its copies, at each branch.
    titles = copies.filter(~Exists(another))
    lent = Q(book__use__checkouts__gt=0)
    rows = titles.values(*keys).annotate(
        titles=Count("pk"),
        lent=Count("pk", filter=lent),
        seldom_lent=Count("pk", filter=lent & Q(book__use__checkouts__lt=settings.POPULARITY_MIN)),
        years=Sum("book__year"),
    )  # fmt: skip
    # Apart, which takes a third of the time that counting the copies of each title does.
    numbers = {tuple(key): number for *key, number in copies.values_list(*keys).annotate(Count("pk"))}
    # A title that came between the two has its copies counted the next time.
    return [HoldingCount(copies=numbers.get(tuple(row[key] for key in keys), 0), **row) for row in rows]
