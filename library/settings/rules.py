"""What each library decides for itself: how it lends and tells, what it remembers and what it counts."""

from decimal import Decimal

from django.core.exceptions import ImproperlyConfigured
from environs import Env, validate

env = Env()

# Who owes more than this borrows nothing more, in the library's currency.
FINE_LIMIT = env.decimal("FINE_LIMIT", Decimal(10), validate=validate.Range(min=0))
# How long a copy waits on the hold shelf before the next borrower has it: a week, so that every borrower has
# a day off work in it.
HOLD_SHELF_DAYS = env.int("HOLD_SHELF_DAYS", 7, validate=validate.Range(min=1))
# What borrowers are told by e-mail. Without a mail server all notices are left to be printed.
EMAIL_URL = env.str("EMAIL_URL", "")
NOTICES_BY_EMAIL = bool(EMAIL_URL)
if NOTICES_BY_EMAIL:
    mail_server = env.dj_email_url("EMAIL_URL")
    if not mail_server.get("EMAIL_BACKEND") or not mail_server["EMAIL_HOST"]:
        raise ImproperlyConfigured(
            "EMAIL_URL names no mail server. Write submission://name:password@mail.example.org:587 (TLS), or "
            "smtp:// in front where there is no TLS."
        )
    globals().update(mail_server)
# Seconds; a mail server that hangs must not hold up the task for ever.
EMAIL_TIMEOUT = env.int("EMAIL_TIMEOUT", 30, validate=validate.Range(min=1))
DEFAULT_FROM_EMAIL = env.str("NOTICES_FROM", "library@localhost", validate=validate.Email())
LIBRARY_NAME = env.str("LIBRARY_NAME", "Library")
NOTICE_LANGUAGE = env.str("NOTICE_LANGUAGE", "en", validate=validate.OneOf(["en", "zh-hans"]))
# How many days before it is due a loan is called to mind; 0: never.
NOTICE_DAYS_BEFORE = env.int("NOTICE_DAYS_BEFORE", 3, validate=validate.Range(min=0))
# How many days late a loan is at the first, second and third overdue notice: the day after, then after one
# and three weeks more.
NOTICE_DAYS_AFTER = env.list("NOTICE_DAYS_AFTER", [1, 8, 29], subcast=int, validate=validate.Length(max=3))
# What is older is left to people: imported loans may be years late.
NOTICE_MOST_DAYS = env.int("NOTICE_MOST_DAYS", 90, validate=validate.Range(min=1))
if [0, *NOTICE_DAYS_AFTER, NOTICE_MOST_DAYS] != sorted({0, *NOTICE_DAYS_AFTER, NOTICE_MOST_DAYS}):
    raise ImproperlyConfigured(
        f"NOTICE_DAYS_AFTER is {NOTICE_DAYS_AFTER}. Name days from 1 on, each later than the one before and "
        f"earlier than NOTICE_MOST_DAYS ({NOTICE_MOST_DAYS}), such as 1,8,29."
    )
# How long the audit log says who looked at whom; 0 keeps all. The database itself keeps entries for 180 days,
# so less than 6 months cannot be had. Two years: a misuse is often told late.
AUDIT_MONTHS = env.int(
    "AUDIT_MONTHS",
    24,
    validate=[validate.Range(min=0), validate.NoneOf(range(1, 6), error="0, or 6 and more")],
)
# How long it is remembered who had borrowed what, for those borrowers who leave it to the library: two years
# let a reader find again what was read last year. 0 forgets at return; a hundred years is for ever.
RETENTION_MONTHS = env.int("RETENTION_MONTHS", 24, validate=validate.Range(min=0, max=1200))
# Of how many different borrowers a pair of titles must have been, for it to be kept when they are forgotten.
# Five, the least that statistical offices commonly publish; with one, the pair would be the person.
CO_BORROWING_MIN = env.int("CO_BORROWING_MIN", 5, validate=validate.Range(min=2))
# How many borrowers must have had both of two titles for recommendations to learn from it: see
# classifier/RECOMMENDATIONS.md for what more of them cost and bring.
RECOMMEND_MIN_BORROWERS = env.int("RECOMMEND_MIN_BORROWERS", 2, validate=validate.Range(min=2))
# How many loans of a title, at a branch, there must be for the lists of popular and trending titles to tell
# of them. As many as people of a pair; people cannot be counted, as who they were is forgotten.
POPULARITY_MIN = env.int("POPULARITY_MIN", 5, validate=validate.Range(min=2))
# A title with more active holds a copy than this is suggested for purchase: with four-week loans, the last of
# four waits for four months.
HOLDS_PER_COPY = env.int("HOLDS_PER_COPY", 4, validate=validate.Range(min=1))
# What nobody has borrowed for so many years is suggested for weeding, and called old when it appeared so many
# years ago. CREW gives both by subject, mostly from 2 to 5 and from 5 to 15: these lie between.
WEEDING_YEARS_UNBORROWED = env.int("WEEDING_YEARS_UNBORROWED", 3, validate=validate.Range(min=1, max=100))
WEEDING_YEARS_OLD = env.int("WEEDING_YEARS_OLD", 10, validate=validate.Range(min=1, max=500))
