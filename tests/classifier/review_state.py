"""State of a book in review."""


def state(book):
    """What a review may change."""
    book.refresh_from_db()
    rows = book.suggestions.order_by("rank").values_list(
        "rank", "category", "probability", "abstained", "evidence"
    )
    filed = book.category_id, book.category_source, book.review_item.reviewed_at
    return filed, [(*row[:2], round(row[2], 9), *row[3:]) for row in rows]
