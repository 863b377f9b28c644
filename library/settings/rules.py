"""Library policies: fines, notices, retention of personal data, statistics."""

from decimal import Decimal

from django.core.exceptions import ImproperlyConfigured
from environs import Env, validate

env = Env()

# Borrowers who owe more than this cannot borrow, in the library's currency.
FINE_LIMIT = env.decimal("FINE_LIMIT", Decimal(10), validate=validate.Range(min=0))
# Days that a copy waits on the hold shelf before it goes to the next borrower: a week, so that every borrower
# has a day off work in it.
HOLD_SHELF_DAYS = env.int("HOLD_SHELF_DAYS", 7, validate=validate.Range(min=1))
# Notices go out by e-mail; without a mail server, staff print them.
EMAIL_URL = env.str("EMAIL_URL", "")
NOTICES_BY_EMAIL = bool(EMAIL_URL)
if NOTICES_BY_EMAIL:
    mail_server = env.dj_email_url("EMAIL_URL")
    if not mail_server.get("EMAIL_BACKEND") or not mail_server["EMAIL_HOST"]:
        raise ImproperlyConfigured(
            "EMAIL_URL does not contain a mail server. Use submission://name:password@mail.example.org:587 "
            "(TLS), or smtp:// without TLS."
        )
    globals().update(mail_server)
# Seconds, so that an unresponsive mail server cannot block the task.
EMAIL_TIMEOUT = env.int("EMAIL_TIMEOUT", 30, validate=validate.Range(min=1))
DEFAULT_FROM_EMAIL = env.str("NOTICES_FROM", "library@localhost", validate=validate.Email())
LIBRARY_NAME = env.str("LIBRARY_NAME", "Library")
NOTICE_LANGUAGE = env.str("NOTICE_LANGUAGE", "en", validate=validate.OneOf(["en", "zh-hans"]))
# Days before the due date of a reminder; 0: no reminder.
NOTICE_DAYS_BEFORE = env.int("NOTICE_DAYS_BEFORE", 3, validate=validate.Range(min=0))
# Days overdue at the first, second and third overdue notice: the day after the due date, then after one and
# three more weeks.
NOTICE_DAYS_AFTER = env.list("NOTICE_DAYS_AFTER", [1, 8, 29], subcast=int, validate=validate.Length(max=3))
# Loans overdue for longer get no automatic notice, because imported loans may be years overdue.
NOTICE_MAX_DAYS = env.int("NOTICE_MAX_DAYS", 90, validate=validate.Range(min=1))
if [0, *NOTICE_DAYS_AFTER, NOTICE_MAX_DAYS] != sorted({0, *NOTICE_DAYS_AFTER, NOTICE_MAX_DAYS}):
    raise ImproperlyConfigured(
        f"NOTICE_DAYS_AFTER is {NOTICE_DAYS_AFTER}. List days in ascending order, from 1 up to less than "
        f"NOTICE_MAX_DAYS ({NOTICE_MAX_DAYS}), for example 1,8,29."
    )
# Months to keep the audit log; 0: forever. The database protects entries for 180 days, so the minimum is 6
# months. Two years, because misuse is often reported late.
AUDIT_MONTHS = env.int(
    "AUDIT_MONTHS",
    24,
    validate=[validate.Range(min=0), validate.NoneOf(range(1, 6), error="0, or 6 and more")],
)
# Months before returned loans are anonymised, for borrowers who have not chosen otherwise: two years let
# borrowers find what they read last year. 0: anonymise at checkin; 1200: practically never.
RETENTION_MONTHS = env.int("RETENTION_MONTHS", 24, validate=validate.Range(min=0, max=1200))
# Different borrowers that a pair of titles needs to be kept after anonymisation. Five is the minimum that
# statistical offices commonly publish; a pair of one borrower would identify that person.
CO_BORROWING_MIN = env.int("CO_BORROWING_MIN", 5, validate=validate.Range(min=2))
# Borrowers who must have borrowed both titles of a pair before recommendations use it;
# classifier/RECOMMENDATIONS.md shows the effect of higher values.
RECOMMEND_MIN_BORROWERS = env.int("RECOMMEND_MIN_BORROWERS", 2, validate=validate.Range(min=2))
# Loans of a title, at a branch, before popular lists and statistics show it. The value equals
# CO_BORROWING_MIN; it counts loans because the borrowers of anonymised loans cannot be counted.
POPULARITY_MIN = env.int("POPULARITY_MIN", 5, validate=validate.Range(min=2))
# Active holds per copy above which a title is suggested for purchase: with four-week loans, the last of four
# borrowers waits four months.
HOLDS_PER_COPY = env.int("HOLDS_PER_COPY", 4, validate=validate.Range(min=1))
# Years without a loan before a title is suggested for weeding, and age in years from which it is called old.
# CREW gives both by subject, mostly 2 to 5 and 5 to 15 years; the defaults lie between.
WEEDING_YEARS_UNBORROWED = env.int("WEEDING_YEARS_UNBORROWED", 3, validate=validate.Range(min=1, max=100))
WEEDING_YEARS_OLD = env.int("WEEDING_YEARS_OLD", 10, validate=validate.Range(min=1, max=500))
