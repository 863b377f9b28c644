"""How sure the classifier is to be, which version serves, and how long runs and reviewers are waited for."""

from environs import Env, validate

env = Env()

# Share of right answers wanted among those the classifier gives; below it, it says "no suggestion".
SUGGESTION_PRECISION = env.float(
    "SUGGESTION_PRECISION",
    0.90,
    validate=validate.Range(min=0, max=1, min_inclusive=False, max_inclusive=False),
)
# Whether a newly trained version takes over: "automatic" if it passes the gate, "manual" when a person
# promotes it, "never" where an installation is to keep the version it has.
PROMOTION = env.str("PROMOTION", "automatic", validate=validate.OneOf(["automatic", "manual", "never"]))
# How much lower its macro-F1 may be to pass: a point is less than what another seed brings.
PROMOTION_TOLERANCE = env.float("PROMOTION_TOLERANCE", 0.01, validate=validate.Range(min=0, max=1))
# How many old versions keep their files, beside the active one, the one before it and the pinned ones: five
# weeks of weekly trainings.
VERSIONS_KEPT = env.int("VERSIONS_KEPT", 5, validate=validate.Range(min=0))
# How sure the classifier must be that a book is of another category than a person or an import filed it
# under, for it to be listed as possibly misfiled: surer than of a suggestion, as somebody has decided.
MISFILED_PROBABILITY = env.float(
    "MISFILED_PROBABILITY", 0.95, validate=validate.Range(min=0.5, max=1, max_inclusive=False)
)
# How long a run may be silent before its worker is taken for dead: many heartbeats, and the longest that a
# write may have to wait on a busy database.
RUN_LOST_SECONDS = env.int("RUN_LOST_SECONDS", 60, validate=validate.Range(min=1))
# How long a run may stay queued before its message is taken for lost. One that is sent twice does no harm.
RUN_RESEND_SECONDS = env.int("RUN_RESEND_SECONDS", 600, validate=validate.Range(min=1))
# Books that were lent or held for in so many months are reviewed before those that nobody asks for.
REVIEW_MONTHS = env.int("REVIEW_MONTHS", 12, validate=validate.Range(min=1))
# How long a book is one reviewer's own; unanswered for longer, another gets it.
REVIEW_LOCK_MINUTES = env.int("REVIEW_LOCK_MINUTES", 15, validate=validate.Range(min=1))
