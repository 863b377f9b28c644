"""Classifier settings: confidence, promotion of model versions, timeouts of runs and reviews."""

from environs import Env, validate

env = Env()

# Target precision of the suggestions; the classifier abstains from suggestions that would lower it.
SUGGESTION_PRECISION = env.float(
    "SUGGESTION_PRECISION",
    0.90,
    validate=validate.Range(min=0, max=1, min_inclusive=False, max_inclusive=False),
)
# Promotion of a newly trained version: "automatic" if it passes the quality check, "manual" by a person,
# "never" to keep the current version.
PROMOTION = env.str("PROMOTION", "automatic", validate=validate.OneOf(["automatic", "manual", "never"]))
# Largest drop in macro-F1 that passes the quality check; another random seed changes it by more than a point.
PROMOTION_TOLERANCE = env.float("PROMOTION_TOLERANCE", 0.01, validate=validate.Range(min=0, max=1))
# Old versions to keep, in addition to the active, the previous and the pinned ones: five weeks of weekly
# trainings.
MODEL_VERSIONS_TO_KEEP = env.int("MODEL_VERSIONS_TO_KEEP", 5, validate=validate.Range(min=0))
# Confidence in another category that makes a filed book a possible misfile: higher than for a suggestion,
# because the book already has a category from a person or an import.
MISFILED_PROBABILITY = env.float(
    "MISFILED_PROBABILITY", 0.95, validate=validate.Range(min=0.5, max=1, max_inclusive=False)
)
# A file of words that jieba does not know, one per line, in its format. Processes read it when they start.
JIEBA_USER_DICT = env.path("JIEBA_USER_DICT", None)
# Seconds without a heartbeat after which a run counts as lost: many heartbeats, and the longest wait for a
# write to a busy database.
RUN_HEARTBEAT_TIMEOUT = env.int("RUN_HEARTBEAT_TIMEOUT", 60, validate=validate.Range(min=1))
# Seconds in the queue after which the message of a run is sent again; duplicates are harmless.
RUN_REDISPATCH_AFTER = env.int("RUN_REDISPATCH_AFTER", 600, validate=validate.Range(min=1))
# Books with loans or holds in these months are reviewed first.
REVIEW_MONTHS = env.int("REVIEW_MONTHS", 12, validate=validate.Range(min=1))
# Minutes that a book is reserved for a reviewer; then another reviewer may get it.
REVIEW_LOCK_MINUTES = env.int("REVIEW_LOCK_MINUTES", 15, validate=validate.Range(min=1))
