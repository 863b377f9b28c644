import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.contrib.messages import get_messages

from classifier.models import Suggestion
from library.catalogue.models import Book
from tests.classifier.factories import make_links, make_recommendation, make_suggestion, make_version
from tests.factories import make_book, make_category
from tests.logins import desk, make_librarian

pytestmark = pytest.mark.django_db

SUGGESTIONS = "/admin/classifier/suggestion/"


def book_page(book):
    return f"/admin/catalogue/book/{book.pk}/change/"


def book_form(book, **changes):
    """What the browser sends from the book's page."""
    form = {
        "title": book.title,
        "control_number": book.control_number,
        "category": book.category_id or "",
    }
    for prefix in ("copies", "suggestions"):
        form |= {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}
    return form | changes


def make_viewer():
    """Staff who may look at everything and change nothing."""
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__startswith="view_"))
    return user


def said(answer):
    return [str(message) for message in get_messages(answer.wsgi_request)]


def test_the_book_page_shows_its_own_suggestions_each_with_a_button():
    suggestion = make_suggestion(probability=0.834)
    other = make_suggestion()
    page = desk(make_librarian()).get(book_page(suggestion.book)).content.decode()
    assert f'name="_accept" value="{suggestion.pk}"' in page
    assert "83%" in page
    assert f'value="{other.pk}"' not in page


def test_accepting_on_the_book_page_saves_the_other_edits_too():
    suggestion = make_suggestion()
    book = suggestion.book
    answer = desk(make_librarian()).post(
        book_page(book), book_form(book, title="Corrected", _accept=suggestion.pk)
    )
    assert answer.url == book_page(book)
    book.refresh_from_db()
    assert (book.title, book.category, book.category_source) == (
        "Corrected",
        suggestion.category,
        "librarian",
    )
    assert LogEntry.objects.first().change_message == f"Accepted the suggestion {suggestion.category}."


@pytest.mark.parametrize("value", ["other", "0", "x"])
def test_a_suggestion_that_is_not_the_books_is_refused(value):
    book = make_suggestion().book
    wanted = make_suggestion().pk if value == "other" else value
    answer = desk(make_librarian()).post(book_page(book), book_form(book, _accept=wanted))
    assert "This suggestion was replaced by a newer one. Reload the page and choose again." in said(answer)
    book.refresh_from_db()
    assert book.category_source == "none"


def test_choosing_another_category_corrects_the_suggestion():
    suggestion, category = make_suggestion(), make_category()
    book = suggestion.book
    desk(make_librarian()).post(book_page(book), book_form(book, category=category.pk))
    book.refresh_from_db()
    assert (book.category, book.category_source) == (category, "librarian")


def test_one_who_may_only_look_sees_no_button_and_cannot_accept():
    suggestion = make_suggestion()
    client = desk(make_viewer())
    for page in (book_page(suggestion.book), SUGGESTIONS):
        answer = client.get(page)
        assert str(suggestion.category) in answer.content.decode()
        assert "row-button" not in answer.content.decode()
    assert client.post(f"{SUGGESTIONS}{suggestion.pk}/accept/").status_code == 403
    page = book_page(suggestion.book)
    assert client.post(page, book_form(suggestion.book, _accept=suggestion.pk)).status_code == 403
    assert Book.objects.get().category_source == "none"


def test_a_row_is_accepted_and_the_list_keeps_its_filters():
    suggestion = make_suggestion()
    back = f"http://testserver{SUGGESTIONS}?rank=1"
    answer = desk(make_librarian()).post(f"{SUGGESTIONS}{suggestion.pk}/accept/", headers={"referer": back})
    assert answer.url == back
    assert Book.objects.get().category_source == "librarian"


def test_accepting_never_leads_to_a_foreign_site():
    suggestion = make_suggestion()
    answer = desk(make_librarian()).post(
        f"{SUGGESTIONS}{suggestion.pk}/accept/", headers={"referer": "https://elsewhere.example/"}
    )
    assert answer.url == SUGGESTIONS


def test_a_link_cannot_accept():
    suggestion = make_suggestion()
    assert desk(make_librarian()).get(f"{SUGGESTIONS}{suggestion.pk}/accept/").status_code == 405
    assert Book.objects.get().category_source == "none"


def test_a_form_of_another_site_cannot_accept():
    suggestion = make_suggestion()
    client = desk(make_librarian(), enforce_csrf_checks=True)
    assert client.post(f"{SUGGESTIONS}{suggestion.pk}/accept/").status_code == 403
    assert Book.objects.get().category_source == "none"


def test_selected_suggestions_are_accepted_the_best_of_each_book():
    best = make_suggestion(rank=1)
    second = make_suggestion(rank=2, book=best.book)
    other = make_suggestion(rank=3)
    left = make_suggestion()
    form = {"action": "accept_selected", "_selected_action": [second.pk, best.pk, other.pk]}
    answer = desk(make_librarian()).post(SUGGESTIONS, form)
    assert said(answer) == ["2 books filed under their best selected suggestion."]
    filed = dict(Book.objects.filter(category_source="librarian").values_list("pk", "category"))
    assert filed == {best.book_id: best.category_id, other.book_id: other.category_id}
    assert left.book_id not in filed


def test_guesses_are_never_accepted_in_bulk():
    suggestion = make_suggestion()
    guess = make_suggestion(abstained=True)
    form = {"action": "accept_selected", "_selected_action": [suggestion.pk, guess.pk]}
    answer = desk(make_librarian()).post(SUGGESTIONS, form)
    assert said(answer) == [
        "1 book filed under its best selected suggestion.",
        "1 book left out: for it there are guesses only. Look at them one by one.",
    ]
    assert set(Book.objects.filter(category_source="librarian")) == {suggestion.book}


def test_a_guess_is_accepted_by_its_own_button():
    guess = make_suggestion(abstained=True)
    desk(make_librarian()).post(f"{SUGGESTIONS}{guess.pk}/accept/")
    assert Book.objects.get().category == guess.category


def test_the_list_tells_suggestions_from_guesses_and_filters_them():
    suggestion, guess = make_suggestion(), make_suggestion(abstained=True)
    client = desk(make_librarian())
    page = client.get(SUGGESTIONS).content.decode()
    assert re.findall(r">\s*(guess|suggestion)\s*<", page) == ["suggestion", "guess"]
    for choice, shown, left in ((0, suggestion, guess), (1, guess, suggestion)):
        page = client.get(f"{SUGGESTIONS}?abstained__exact={choice}").content.decode()
        assert str(shown.book) in page
        assert str(left.book) not in page


def test_the_reasons_of_a_suggestion_are_read_on_its_page():
    history = make_category(scheme="local", notation="900", label_en="History")
    make_category(scheme="local", notation="028", label_en="Children")
    alike = make_book(title="Alike <b>", cover="covers/alike.png")
    borrowed = make_book(title="Borrowed too", cover="covers/other.png")
    suggestion = make_suggestion(
        category=history,
        evidence={
            "decision": 2.0,
            "baseline": 0.25,
            "shares": {"text": 2.5, "cover": -0.75},
            "terms": {"for": [["title", "empire", 0.6]], "against": [["description", "bunny", -0.2]]},
            "says": {"text": ["local/900", 0.8], "cover": ["local/028", 0.7]},
            "disagree": True,
            "left_out": ["cover"],
            "nearest": {"cover": [[alike.control_number, "local/028", 0.9], ["gone", "local/none", 0.8]]},
            "borrowed_with": {"agree": 0.4, "books": [[borrowed.control_number, 0.3]]},
        },
    )
    client = desk(make_librarian())
    address = f"{SUGGESTIONS}{suggestion.pk}/change/"
    assert f'href="{address}"' in client.get(SUGGESTIONS).content.decode()
    assert f'href="{address}"' in client.get(book_page(suggestion.book)).content.decode()
    page = re.sub(r"\s+", " ", client.get(address).content.decode())
    for said_there in (
        '<rect class="for" x="0" width="1.0" height="1" />',
        "<span>text</span> <svg",
        '<span class="number">+2.50</span>',
        '<rect class="against" x="-0.3" width="0.3" height="1" />',
        '<span class="number">-0.75</span>',
        "With 0.25 for the category as such they sum to 2.00.",
        "<p>Left out of account: cover. Books like this one are judged better without.</p>",
        '<h4>Words for it</h4> <p><mark class="for">empire</mark> (title)</p>',
        '<h4>Words against it</h4> <p><mark class="against">bunny</mark> (description)</p>',
        "<h4>They disagree</h4>",
        "<li>text says 900 History (80%)</li> <li>cover says 028 Children (70%)</li>",
        "<h4>Most alike by cover</h4>",
        f'<li> <img src="{alike.cover.url}" alt="" loading="lazy"> <a href="{book_page(alike)}">Alike',
        "</a> <small>028 Children</small> </li>",
        '<li> <span class="no-cover" aria-hidden="true">gone</span> gone <small>local/none</small> </li>',
        "Borrowed with these titles, taken to be of this category (40% of all co-borrowing)",
        f'<a href="{book_page(borrowed)}">Borrowed too</a>',
    ):
        assert said_there in page


def test_a_suggestion_from_before_there_was_evidence_has_a_page_too():
    suggestion = make_suggestion()
    answer = desk(make_librarian()).get(f"{SUGGESTIONS}{suggestion.pk}/change/")
    assert answer.status_code == 200
    assert 'class="evidence"' not in answer.content.decode()


def test_a_book_nothing_is_known_of_has_reasons_that_say_so():
    evidence = {
        "decision": 0.25, "baseline": 0.25, "shares": {}, "terms": {"for": [], "against": []}, "says": {},
        "disagree": False, "left_out": [], "nearest": {}, "borrowed_with": {"agree": 0.0, "books": []},
    }  # fmt: skip
    suggestion = make_suggestion(evidence=evidence)
    page = desk(make_librarian()).get(f"{SUGGESTIONS}{suggestion.pk}/change/").content.decode()
    assert "Nothing is known of this book: the largest categories were guessed." in page
    for absent in ("Words for it", "They", "Most alike", "Borrowed with"):
        assert absent not in page


def test_the_reasons_are_read_in_chinese_too():
    client = desk(make_librarian())
    suggestion = make_suggestion(
        evidence={
            "decision": 2.0,
            "baseline": 0.25,
            "shares": {"text": 1.75},
            "terms": {"for": [["title", "帝国", 0.6]], "against": []},
            "says": {"text": ["local/900", 0.8]},
            "disagree": False,
            "left_out": ["cover"],
            "nearest": {"audio": [["gone", "local/900", 0.8]]},
            "borrowed_with": {"agree": 0.4, "books": [["gone", 0.3]]},
        }
    )
    page = client.get(f"{SUGGESTIONS}{suggestion.pk}/change/", headers={"accept-language": "zh-hans"})
    reasons = page.content.decode().partition('<div class="evidence">')[2].partition("</div>")[0]
    plain = re.sub(r"<[^>]*>|gone|local/900", "", reasons)
    assert "帝国" in plain
    assert re.findall(r"[A-Za-z]+", plain) == []


def test_one_who_may_only_look_is_not_offered_the_action():
    suggestion = make_suggestion()
    form = {"action": "accept_selected", "_selected_action": [suggestion.pk]}
    desk(make_viewer()).post(SUGGESTIONS, form)
    assert Book.objects.get().category_source == "none"


def test_an_accepted_suggestion_has_no_button_any_more():
    category = make_category()
    make_suggestion(book=make_book(category=category), category=category)
    page = desk(make_librarian()).get(SUGGESTIONS).content.decode()
    assert "accepted" in page
    assert "row-button" not in page


def test_a_librarian_deletes_a_book_together_with_what_was_suggested():
    suggestion = make_suggestion()
    make_recommendation(book=suggestion.book)
    make_links(book=suggestion.book)
    page = f"/admin/catalogue/book/{suggestion.book_id}/delete/"
    desk(make_librarian()).post(page, {"post": "yes"})
    assert not Book.objects.filter(pk=suggestion.book_id).exists()
    assert not Suggestion.objects.exists()


@pytest.mark.parametrize("model", ["suggestion", "recommendation", "modelversion"])
def test_what_the_classifier_writes_nobody_adds_or_changes(model):
    make = {
        "suggestion": make_suggestion,
        "recommendation": make_recommendation,
        "modelversion": make_version,
    }
    row = make[model]()
    client = desk(User.objects.create_superuser("root"))
    assert client.get(f"/admin/classifier/{model}/add/").status_code == 403
    assert client.post(f"/admin/classifier/{model}/{row.pk}/change/", {"rank": 9}).status_code == 403


def test_a_model_version_cannot_be_deleted_and_shows_its_metrics():
    version = make_version(metrics={"fused": {"accuracy": 0.81}})
    client = desk(User.objects.create_superuser("root"))
    assert client.post(f"/admin/classifier/modelversion/{version.pk}/delete/").status_code == 403
    page = client.get(f"/admin/classifier/modelversion/{version.pk}/change/").content.decode()
    assert '<th scope="row">all together</th><td>0.810</td>' in page
