import pytest

from tests.factories import make_book, make_category


@pytest.fixture
def physics():
    """Return 530, with a book of each source, and with 535 below it, which has one book."""
    physics = make_category(notation="530")
    for source in ("librarian", "imported", "model"):
        make_book(control_number=source, title=f"Waves {source}", category=physics, category_source=source)
    make_book(control_number="lens", title="A lens", category=make_category(notation="535", parent=physics))
    return physics
