"""Suggestions in the admin: their list and the book's page."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.contrib.messages import get_messages

from classifier.models import Suggestion
from library.catalogue.models import Book
from tests.classifier.factories import make_neighbours, make_recommendation, make_suggestion, make_version
from tests.factories import make_book, make_category
from tests.logins import desk, make_librarian

pytestmark = pytest.mark.django_db

SUGGESTIONS = "/admin/classifier/suggestion/"


def book_url(book):
    return f"/admin/catalogue/book/{book.pk}/change/"


def book_form(book, **changes):
    """Form data as the browser sends it from the book's page."""
    form = {
        "title": book.title,
        "control_number": book.control_number,
        "category": book.category_id or "",
    }
    for prefix in ("copies", "suggestions"):
        form |= {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}
    return form | changes


def make_viewer():
    """A staff user who may view everything and change nothing."""
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__startswith="view_"))
    return user


def messages_of(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


def test_book_page_shows_suggestions():
    suggestion = make_suggestion(probability=0.834)
    other = make_suggestion()
    page = desk(make_librarian()).get(book_url(suggestion.book)).content.decode()
    assert f'name="_accept" value="{suggestion.pk}"' in page
    assert "83%" in page
    assert f'value="{other.pk}"' not in page


def test_accepting_on_book_page_saves_other_edits():
    suggestion = make_suggestion()
    book = suggestion.book
    response = desk(make_librarian()).post(
        book_url(book), book_form(book, title="Corrected", _accept=suggestion.pk)
    )
    assert response.url == book_url(book)
    book.refresh_from_db()
    assert (book.title, book.category, book.category_source) == (
        "Corrected",
        suggestion.category,
        "librarian",
    )
    assert LogEntry.objects.first().change_message == f"Accepted the suggestion {suggestion.category}."


@pytest.mark.parametrize("value", ["other", "0", "x"])
def test_replaced_suggestion_is_refused(value):
    book = make_suggestion().book
    key = make_suggestion().pk if value == "other" else value
    response = desk(make_librarian()).post(book_url(book), book_form(book, _accept=key))
    assert "A newer suggestion has replaced this one. Reload the page and choose again." in messages_of(
        response
    )
    book.refresh_from_db()
    assert book.category_source == "none"


def test_other_category_on_book_page_is_a_correction():
    suggestion, category = make_suggestion(), make_category()
    book = suggestion.book
    desk(make_librarian()).post(book_url(book), book_form(book, category=category.pk))
    book.refresh_from_db()
    assert (book.category, book.category_source) == (category, "librarian")


def test_viewer_cannot_accept():
    suggestion = make_suggestion()
    client = desk(make_viewer())
    for page in (book_url(suggestion.book), SUGGESTIONS):
        response = client.get(page)
        assert str(suggestion.category) in response.content.decode()
        assert "row-button" not in response.content.decode()
    assert client.post(f"{SUGGESTIONS}{suggestion.pk}/accept/").status_code == 403
    page = book_url(suggestion.book)
    assert client.post(page, book_form(suggestion.book, _accept=suggestion.pk)).status_code == 403
    assert Book.objects.get().category_source == "none"


def test_accepting_row_keeps_list_filters():
    suggestion = make_suggestion()
    back = f"http://testserver{SUGGESTIONS}?rank=1"
    response = desk(make_librarian()).post(f"{SUGGESTIONS}{suggestion.pk}/accept/", headers={"referer": back})
    assert response.url == back
    assert Book.objects.get().category_source == "librarian"


def test_accepting_does_not_redirect_to_other_sites():
    suggestion = make_suggestion()
    response = desk(make_librarian()).post(
        f"{SUGGESTIONS}{suggestion.pk}/accept/", headers={"referer": "https://elsewhere.example/"}
    )
    assert response.url == SUGGESTIONS


def test_get_cannot_accept():
    suggestion = make_suggestion()
    assert desk(make_librarian()).get(f"{SUGGESTIONS}{suggestion.pk}/accept/").status_code == 405
    assert Book.objects.get().category_source == "none"


def test_accepting_needs_csrf_token():
    suggestion = make_suggestion()
    client = desk(make_librarian(), enforce_csrf_checks=True)
    assert client.post(f"{SUGGESTIONS}{suggestion.pk}/accept/").status_code == 403
    assert Book.objects.get().category_source == "none"


def test_top_selected_suggestion_per_book_is_accepted():
    best = make_suggestion(rank=1)
    second = make_suggestion(rank=2, book=best.book)
    other = make_suggestion(rank=3)
    left = make_suggestion()
    form = {"action": "accept_selected", "_selected_action": [second.pk, best.pk, other.pk]}
    response = desk(make_librarian()).post(SUGGESTIONS, form)
    assert messages_of(response) == ["2 books filed under their top selected suggestions."]
    filed = dict(Book.objects.filter(category_source="librarian").values_list("pk", "category"))
    assert filed == {best.book_id: best.category_id, other.book_id: other.category_id}
    assert left.book_id not in filed


def test_low_confidence_is_not_accepted_in_bulk():
    suggestion = make_suggestion()
    uncertain = make_suggestion(abstained=True)
    form = {"action": "accept_selected", "_selected_action": [suggestion.pk, uncertain.pk]}
    response = desk(make_librarian()).post(SUGGESTIONS, form)
    assert messages_of(response) == [
        "1 book filed under its top selected suggestion.",
        "1 book skipped: its suggestions have low confidence. Review it individually.",
    ]
    assert set(Book.objects.filter(category_source="librarian")) == {suggestion.book}


def test_low_confidence_is_accepted_individually():
    uncertain = make_suggestion(abstained=True)
    desk(make_librarian()).post(f"{SUGGESTIONS}{uncertain.pk}/accept/")
    assert Book.objects.get().category == uncertain.category


def test_list_filters_by_confidence():
    suggestion, uncertain = make_suggestion(), make_suggestion(abstained=True)
    client = desk(make_librarian())
    page = client.get(SUGGESTIONS).content.decode()
    assert re.findall(r">\s*(Low confidence|suggestion)\s*<", page) == ["suggestion", "Low confidence"]
    for choice, shown, left in ((0, suggestion, uncertain), (1, uncertain, suggestion)):
        page = client.get(f"{SUGGESTIONS}?abstained__exact={choice}").content.decode()
        assert str(shown.book) in page
        assert str(left.book) not in page


def test_viewer_cannot_run_accept_action():
    suggestion = make_suggestion()
    form = {"action": "accept_selected", "_selected_action": [suggestion.pk]}
    desk(make_viewer()).post(SUGGESTIONS, form)
    assert Book.objects.get().category_source == "none"


def test_accepted_suggestion_has_no_button():
    category = make_category()
    make_suggestion(book=make_book(category=category), category=category)
    page = desk(make_librarian()).get(SUGGESTIONS).content.decode()
    assert "accepted" in page
    assert "row-button" not in page


def test_deleting_book_deletes_its_suggestions():
    suggestion = make_suggestion()
    make_recommendation(book=suggestion.book)
    make_neighbours(book=suggestion.book)
    page = f"/admin/catalogue/book/{suggestion.book_id}/delete/"
    desk(make_librarian()).post(page, {"post": "yes"})
    assert not Book.objects.filter(pk=suggestion.book_id).exists()
    assert not Suggestion.objects.exists()


@pytest.mark.parametrize("model", ["suggestion", "recommendation", "modelversion"])
def test_admin_is_read_only(model):
    factories = {
        "suggestion": make_suggestion,
        "recommendation": make_recommendation,
        "modelversion": make_version,
    }
    row = factories[model]()
    client = desk(User.objects.create_superuser("root"))
    assert client.get(f"/admin/classifier/{model}/add/").status_code == 403
    assert client.post(f"/admin/classifier/{model}/{row.pk}/change/", {"rank": 9}).status_code == 403


def test_model_version_cannot_be_deleted():
    version = make_version(metrics={"fused": {"accuracy": 0.81}})
    client = desk(User.objects.create_superuser("root"))
    assert client.post(f"/admin/classifier/modelversion/{version.pk}/delete/").status_code == 403
    page = client.get(f"/admin/classifier/modelversion/{version.pk}/change/").content.decode()
    assert '<th scope="row">Combined</th><td>0.810</td>' in page
