"""The map of the collection: drawn by a run, shown on a page."""

import pytest

from classifier.models import MapPoint, Run
from classifier.selectors.collection_map import drawn, places
from classifier.services import collection_map
from classifier.services.collection_map import draw_map
from classifier.services.jobs import run_here
from library.admin_site.roles import ANALYSTS, CIRCULATION
from library.catalogue.models import Book
from tests.classifier.factories import make_suggestion, make_version
from tests.classifier.libraries import CATEGORISED, UNCATEGORISED
from tests.classifier.serving_process import trained_library
from tests.factories import NOW, make_book, make_category
from tests.logins import desk, make_librarian, make_user

pytestmark = pytest.mark.django_db
PAGE = "/admin/classifier/modelversion/map/"


def test_the_map_has_every_book_of_a_small_library_and_a_sample_of_a_large_one(
    data_folder, kept_versions, monkeypatch
):
    trained_library(kept_versions)
    result = run_here(kind="draw_map", now=NOW)
    assert result["books"] == MapPoint.objects.count() == CATEGORISED + UNCATEGORISED
    first = {(p.book_id, p.x, p.y) for p in MapPoint.objects.all()}
    assert all(-1 <= x <= 1 and -1 <= y <= 1 for _book, x, y in first)
    draw_map(now=NOW)
    assert {(p.book_id, p.x, p.y) for p in MapPoint.objects.all()} == first
    # Nothing has changed, so there is nothing to do; without its rows there is.
    assert "skipped" in run_here(kind="draw_map", now=NOW)
    MapPoint.objects.first().delete()
    assert "skipped" not in run_here(kind="draw_map", now=NOW)
    monkeypatch.setattr(collection_map, "MOST", 20)
    assert draw_map(now=NOW, seed=1)["books"] == MapPoint.objects.count() == 20


def point(**fields):
    version = MapPoint.objects.values_list("model_version", flat=True).first() or make_version(name="v").pk
    return MapPoint.objects.create(model_version_id=version, made_at=NOW, **{"x": 0.5, "y": -0.25} | fields)


def test_a_book_has_the_colour_of_its_category_or_else_of_its_best_suggestion(django_assert_num_queries):
    filed, guessed = make_category(notation="530", label_en="Physics"), make_category(notation="610")
    first = point(book=make_book(title="Optics", category=filed))
    suggestion = make_suggestion(category=guessed)
    point(book=suggestion.book)
    make_suggestion(book=first.book, category=guessed)
    point(book=make_book())
    with django_assert_num_queries(2):
        found = places()
    assert [place.category for place in found] == [filed, guessed, None]
    assert (found[0].title, found[0].x, found[0].y) == ("Optics", 0.5, -0.25)
    assert drawn() == ("v", NOW)


def test_the_page_leads_to_each_book_by_its_table():
    book = point(book=make_book(title="Optics", category=make_category(notation="530"))).book
    page = desk(make_librarian()).get(PAGE).content.decode()
    assert f'<a href="/admin/catalogue/book/{book.pk}/change/">Optics</a>' in page
    assert "Drawn by v" in page


def test_a_deleted_book_leaves_the_map():
    point(book=make_book())
    Book.objects.all().delete()
    assert (places(), drawn()) == ([], None)


def test_a_librarian_asks_for_the_map_and_one_who_may_only_look_does_not():
    client = desk(make_librarian())
    page = client.get(PAGE).content.decode()
    assert "The map was not drawn yet." in page
    assert "Draw it anew" in page
    client.post(PAGE)
    assert Run.objects.get().kind == "draw_map"
    analyst = desk(make_user(ANALYSTS))
    assert "Draw it anew" not in analyst.get(PAGE).content.decode()
    assert analyst.post(PAGE).status_code == 403
    assert desk(make_user(CIRCULATION)).get(PAGE).status_code == 403
