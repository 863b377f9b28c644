"""Scheduled reports by e-mail: the figures of a page as text, each attached as CSV.

A worker claims a report for its period before sending it, so only one of several workers sends it. If the
mail server refuses it, the claim is released and the next run tries again. After a crash between claim and
sending, the report of that period is lost; the figures remain available in the admin.
"""

import io
import logging
from collections.abc import Iterator
from datetime import date, datetime, timedelta

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import Q
from django.utils import translation
from django.utils.translation import gettext as _

from library.admin_site.widgets.charts import Chart
from library.analytics.figures.query import StatisticsQuery, Table
from library.analytics.figures.registry import PAGES
from library.analytics.models import ScheduledReport
from library.analytics.selectors.loans import UnsupportedGroupingError
from library.analytics.selectors.scope import Scope, period_name, period_of
from library.circulation.selectors.calendar import library_date
from library.console import format_table
from library.tabular import CsvWriter

logger = logging.getLogger(__name__)

#: Rows of a table in the e-mail; the attached file has all of them.
MAX_ROWS = 20


def send_reports(*, now: datetime) -> dict[str, int]:
    """Send the reports of the week or month that has ended; return the numbers ``sent`` and ``to_retry``.

    Both are 0 without a mail server.
    """
    outcome = {"sent": 0, "to_retry": 0}
    if not settings.NOTICES_BY_EMAIL:
        return outcome
    for report in list(ScheduledReport.objects.select_related("branch", "category")):
        start, end = last_period(now=now, frequency=report.frequency)
        due = ScheduledReport.objects.filter(
            Q(last_period_sent=None) | Q(last_period_sent__lt=start), pk=report.pk
        )
        if not due.update(last_period_sent=start, delivery_error=""):
            continue
        try:
            compose(report=report, start=start, end=end, now=now).send()
        except (OSError, ValueError) as error:  # ValueError: invalid in a header
            # The mail server's message may contain the address.
            delivery_error = type(error).__name__
            logger.warning("Report %s was not sent: %s", report.pk, delivery_error)
            ScheduledReport.objects.filter(pk=report.pk, last_period_sent=start).update(
                last_period_sent=report.last_period_sent, delivery_error=delivery_error
            )
            outcome["to_retry"] += 1
        else:
            outcome["sent"] += 1
    return outcome


def last_period(*, now: datetime, frequency: str) -> tuple[date, date]:
    """Return the first and last day of the last complete week or month."""
    end = period_of(day=library_date(at=now), interval=frequency) - timedelta(days=1)
    return period_of(day=end, interval=frequency), end


def compose(*, report: ScheduledReport, start: date, end: date, now: datetime) -> EmailMessage:
    """Return the message of a report about a period, in the report's language."""
    page = PAGES[report.page]
    with translation.override(report.language):
        scope = Scope(start, end, report.branch_id, report.category_id)
        query = StatisticsQuery(
            scope=scope, interval="day" if report.frequency == "week" else "week", now=now, limit=MAX_ROWS
        )
        restriction = ", ".join(str(place) for place in (report.branch, report.category) if place)
        title = f"{page.title}, {period_name(start=start, interval=report.frequency)}"
        text = [f"{title}{f' ({restriction})' if restriction else ''}"]
        files = []
        for name, build in page.figures.items():
            try:
                text.append(_as_text(build(query)))
            except UnsupportedGroupingError as error:
                text.append(error.message)
                continue
            complete = build(StatisticsQuery(scope=scope, interval=query.interval, now=now))
            files.append((f"{report.page}-{name}.csv", _as_csv(complete), "text/csv"))
        footer = _(
            "The figures are attached as CSV files. To change who receives this report, open "
            "Scheduled reports in the admin."
        )
        return EmailMessage(
            f"{settings.LIBRARY_NAME}: {title}",
            "\n\n".join([*text, footer]) + "\n",
            to=[report.email],
            headers={"Auto-Submitted": "auto-generated"},
            attachments=files,
        )


def _as_text(figure: Chart | Table) -> str:
    rows: Iterator[list[str]]
    if isinstance(figure, Chart):
        rows = ([label, *cells] for label, cells in figure.rows)
    else:
        rows = ([str(cell) for cell in row] for row in figure.rows)
    table = format_table(title=figure.title, columns=list(figure.header), rows=list(rows))
    return f"{table}\n{figure.definition}"


def _as_csv(figure: Chart | Table) -> str:
    file = io.StringIO(newline="")
    # Spreadsheets recognise UTF-8 by the byte order mark.
    file.write("\ufeff")
    CsvWriter(file).writerows(figure.records)
    return file.getvalue()
