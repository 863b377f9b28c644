"""Removal of a rejected suggestion, and its return."""

from classifier.models import Review, Suggestion


def remove_suggestion(*, suggestion: Suggestion) -> None:
    """Delete a suggestion; the others move up, and their probabilities are renormalised."""
    Suggestion.objects.filter(pk=suggestion.pk).delete()
    others = list(Suggestion.objects.filter(book=suggestion.book_id).order_by("rank"))
    remaining = 1 - suggestion.probability
    # One by one: a unique constraint holds at all times.
    for rank, other in enumerate(others, start=1):
        other.rank = rank
        other.probability = min(1.0, other.probability / remaining) if remaining > 0 else 0.0
        other.save(update_fields=["rank", "probability"])


def restore_suggestion(*, review: Review) -> None:
    """Undo `remove_suggestion`, unless another version has classified the book since."""
    others = list(Suggestion.objects.filter(book=review.book_id).order_by("-rank"))
    if any(other.model_version_id != review.model_version_id for other in others):
        return
    if review.suggested.retired_at:  # its replacement is suggested from the next run on
        return
    if review.model_version_id is None or any(other.category_id == review.suggested_id for other in others):
        return
    better = 0
    for other in others:  # the last first: see `remove_suggestion`
        other.probability *= 1 - review.probability
        if other.probability > review.probability:
            better += 1
        else:
            other.rank += 1
        other.save(update_fields=["rank", "probability"])
    Suggestion.objects.create(
        book_id=review.book_id,
        rank=better + 1,
        category=review.suggested,
        probability=review.probability,
        model_version_id=review.model_version_id,
        created_at=review.created_at,
        abstained=others[0].abstained if others else True,
        evidence=review.evidence,
    )
