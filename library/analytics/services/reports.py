"""Reports by e-mail: the figures of a page as text, each attached as CSV.

A report is claimed for its period before it is sent, so that of several workers one sends it; if the mail
server does not take it, the claim is taken back and the next run tries again. After a crash in between it is
not sent again: the next period's comes, and the figures are in the admin meanwhile.
"""

import io
import logging
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import Q
from django.utils import translation
from django.utils.translation import gettext as _

from library.admin_site.widgets.charts import Chart
from library.analytics.figures.query import Asked, Listing
from library.analytics.figures.registry import PAGES
from library.analytics.models import ScheduledReport
from library.analytics.selectors.loans import NotCountedError
from library.analytics.selectors.scope import Scope, period_name, period_of
from library.circulation.selectors.calendar import library_date
from library.console import as_text
from library.tabular import CsvWriter

logger = logging.getLogger(__name__)

#: Rows of a list that a letter has; the attached file has all of them.
ROWS = 20


def send_reports(*, now: datetime) -> dict[str, int]:
    """Send the reports whose week or month is over.

    Parameters
    ----------
    now : datetime

    Returns
    -------
    dict
        How many were `sent`, and how many could not be (`to_retry`); none of either without a mail server.
    """
    done = {"sent": 0, "to_retry": 0}
    if not settings.NOTICES_BY_EMAIL:
        return done
    for report in list(ScheduledReport.objects.select_related("branch", "category")):
        start, end = last_period(now=now, every=report.every)
        due = ScheduledReport.objects.filter(Q(sent_for=None) | Q(sent_for__lt=start), pk=report.pk)
        if not due.update(sent_for=start, problem=""):
            continue
        try:
            compose(report=report, start=start, end=end, now=now).send()
        except (OSError, ValueError) as error:  # ValueError: what can stand in no header
            # The mail server's sentence may repeat the address.
            problem = type(error).__name__
            logger.warning("The report %s was not sent: %s", report.pk, problem)
            ScheduledReport.objects.filter(pk=report.pk, sent_for=start).update(
                sent_for=report.sent_for, problem=problem
            )
            done["to_retry"] += 1
        else:
            done["sent"] += 1
    return done


def last_period(*, now: datetime, every: str) -> tuple[date, date]:
    """Return the first and the last day of the last week or month that is over."""
    end = period_of(day=library_date(at=now), interval=every) - timedelta(days=1)
    return period_of(day=end, interval=every), end


def compose(*, report: ScheduledReport, start: date, end: date, now: datetime) -> EmailMessage:
    """Return the message of a report about some days, in its language."""
    page = PAGES[report.page]
    with translation.override(report.language):
        scope = Scope(start, end, report.branch_id, report.category_id)
        asked = Asked(scope=scope, interval="day" if report.every == "week" else "week", now=now, limit=ROWS)
        about = ", ".join(str(place) for place in (report.branch, report.category) if place)
        title = f"{page.title}, {period_name(start=start, interval=report.every)}"
        text = [f"{title}{f' ({about})' if about else ''}"]
        files = []
        for name, build in page.figures.items():
            try:
                text.append(_in_words(build(asked)))
            except NotCountedError as error:
                text.append(error.message)
                continue
            whole = build(Asked(scope=scope, interval=asked.interval, now=now))
            files.append((f"{report.page}-{name}.csv", _as_csv(whole), "text/csv"))
        source = _("Each figure is attached as CSV. Who gets this is set in the admin: Scheduled reports.")
        return EmailMessage(
            f"{settings.LIBRARY_NAME}: {title}",
            "\n\n".join([*text, source]) + "\n",
            to=[report.email],
            headers={"Auto-Submitted": "auto-generated"},
            attachments=files,
        )


def _in_words(figure: Chart | Listing) -> str:
    rows: Iterator[list[str]]
    if isinstance(figure, Chart):
        rows = ([label, *cells] for label, cells in figure.rows)
    else:
        rows = ([str(cell) for cell in row] for row in figure.rows)
    table = as_text(title=figure.title, columns=list(figure.header), rows=list(rows))
    return f"{table}\n{figure.definition}"


def _as_csv(figure: Chart | Listing) -> str:
    file: Any = io.StringIO(newline="")
    # The mark tells spreadsheets that it is UTF-8.
    file.write("\ufeff")
    CsvWriter(file).writerows(figure.records)
    return file.getvalue()
