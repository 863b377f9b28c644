"""``manage.py order_reviews``: the books that wait for a librarian, the most useful first."""

from typing import Any

from classifier.management.running import RunCommand


class Command(RunCommand):
    kind = "order_reviews"
    help = (
        "Order the books that wait for review anew: by the chance that the suggestion is wrong, how much the "
        "book is asked for, and how many others like it an answer would settle. Done after each "
        "reclassification by itself; who is reviewing keeps the book."
    )
    example = "manage.py order_reviews"

    def parameters(self, options: dict[str, Any]) -> dict[str, Any]:
        return {}
