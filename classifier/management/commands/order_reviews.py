"""``manage.py order_reviews``: order the review queue, most useful books first."""

from typing import Any

from classifier.management.running import RunCommand


class Command(RunCommand):
    kind = "order_reviews"
    help = (
        "Order the books that wait for review by the probability that the suggestion is wrong, the demand "
        "for the book, and the number of similar books. Runs automatically after each batch; reviewers keep "
        "the books assigned to them."
    )
    example = "manage.py order_reviews"

    def parameters(self, options: dict[str, Any]) -> dict[str, Any]:
        return {}
