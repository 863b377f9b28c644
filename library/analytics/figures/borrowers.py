"""Who comes: never who it is."""

from django.conf import settings
from django.utils.translation import gettext as _

from library.admin_site.widgets.charts import Chart, Series, bar_chart
from library.analytics.figures.query import Asked
from library.analytics.selectors.loans import counts
from library.analytics.selectors.months import borrower_months
from library.analytics.selectors.scope import period_name


def new_and_returning(asked: Asked) -> Chart:
    """Return the borrowers of each month, those who came for the first time apart."""
    rows = borrower_months(scope=asked.scope)
    return bar_chart(
        name="borrowers",
        title=_("New and returning borrowers"),
        definition=_(
            "People who borrowed in the month, at all branches: new if nothing that they borrowed before is "
            "known. They are counted while it is known who they were; checkouts of people who were forgotten "
            "before that, or are left out of statistics, are in the last column. Fewer than %(least)s people "
            "are not told of."
        )
        % {"least": settings.CO_BORROWING_MIN},
        labels=[period_name(start=row.month, interval="month") for row in rows],
        keys=[row.month.isoformat() for row in rows],
        label_name=_("Month"),
        series=[
            Series(_("new"), [row.new for row in rows]),
            Series(_("returning"), [row.returning for row in rows]),
            Series(_("checkouts of unknown borrowers"), [row.unknown for row in rows]),
        ],
    )


def by_group(asked: Asked) -> Chart:
    """Return what each category of borrowers borrowed."""
    metrics = ("checkouts", "renewals", "holds")
    table = counts(scope=asked.scope, interval=None, group_by="borrower_category", metrics=metrics)
    sums = [next(iter(rows.values())) for rows in table.values()]
    names = {"checkouts": _("Checkouts"), "renewals": _("Renewals"), "holds": _("Holds placed")}
    return bar_chart(
        name="groups",
        title=_("By borrower category"),
        definition=_(
            "What borrowers of each category did within the time chosen. Categories of few borrowers are put "
            "together with those that are unknown, and small numbers are left out: somebody could be "
            "recognised."
        ),
        labels=[group.name for group in table],
        label_name=_("Borrower category"),
        series=[Series(names[metric], [row[metric] for row in sums]) for metric in metrics],
        unit=_("events"),
        horizontal=True,
    )
