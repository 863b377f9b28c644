"""Borrower activity, without identifying anyone."""

from django.conf import settings
from django.utils.translation import gettext as _

from library.admin_site.widgets.charts import Chart, Series, bar_chart
from library.analytics.figures.query import StatisticsQuery
from library.analytics.selectors.loans import counts
from library.analytics.selectors.months import borrower_months
from library.analytics.selectors.scope import period_name


def new_and_returning(query: StatisticsQuery) -> Chart:
    """Return the new and the returning borrowers of each month."""
    rows = borrower_months(scope=query.scope)
    return bar_chart(
        name="borrowers",
        title=_("New and returning borrowers"),
        definition=_(
            "People who borrowed in each month, at all branches; “new” means that no earlier "
            "loan is on record. Borrowers are counted while their loans still identify them. "
            "Checkouts anonymised before counting, or by borrowers excluded from statistics, are "
            "in the last column. Groups of fewer than %(least)s people are not shown."
        )
        % {"least": settings.CO_BORROWING_MIN},
        labels=[period_name(start=row.month, interval="month") for row in rows],
        keys=[row.month.isoformat() for row in rows],
        label_name=_("Month"),
        series=[
            Series(_("new borrowers"), [row.new for row in rows]),
            Series(_("returning borrowers"), [row.returning for row in rows]),
            Series(_("unattributed checkouts"), [row.unattributed for row in rows]),
        ],
    )


def by_group(query: StatisticsQuery) -> Chart:
    """Return the checkouts, renewals and holds of each borrower category."""
    metrics = ("checkouts", "renewals", "holds")
    table = counts(scope=query.scope, interval=None, group_by="borrower_category", metrics=metrics)
    sums = [next(iter(rows.values())) for rows in table.values()]
    names = {"checkouts": _("Checkouts"), "renewals": _("Renewals"), "holds": _("Holds placed")}
    return bar_chart(
        name="groups",
        title=_("By borrower category"),
        definition=_(
            "Activity of each borrower category in the selected period. To protect privacy, "
            "small categories are combined under “Other and unknown” and small counts are hidden."
        ),
        labels=[group.name for group in table],
        label_name=_("Borrower category"),
        series=[Series(names[metric], [row[metric] for row in sums]) for metric in metrics],
        unit=_("events"),
        horizontal=True,
    )
