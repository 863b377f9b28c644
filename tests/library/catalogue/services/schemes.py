"""Helpers for tests of changes of the classification scheme."""

from library.catalogue.models import Book, Category


def filed():
    return dict(Book.objects.values_list("control_number", "category__notation"))


def snapshot(*, excluding=()):
    """Return everything a change may alter, except categories that a split created."""
    return (
        list(Category.objects.exclude(pk__in=excluding).order_by("pk").values()),
        list(Book.objects.order_by("pk").values("pk", "category_id", "category_source")),
    )
