"""Collection map: drawn by a run, shown on a page."""

import pytest

from classifier.models import MapPoint, Run
from classifier.selectors.collection_map import last_drawn, map_points
from classifier.services import collection_map
from classifier.services.collection_map import draw_map
from classifier.services.jobs import run_here
from classifier.services.runs.context import JobContext
from library.admin_site.roles import ANALYSTS, CIRCULATION
from library.catalogue.models import Book
from tests.classifier.factories import make_suggestion, make_version
from tests.classifier.libraries import CATEGORISED, UNCATEGORISED
from tests.classifier.serving_process import trained_library
from tests.factories import NOW, make_book, make_category
from tests.logins import desk, make_librarian, make_user

pytestmark = pytest.mark.django_db
PAGE = "/admin/classifier/modelversion/map/"


def test_map_samples_a_large_library(data_folder, version_cache, monkeypatch):
    trained_library(version_cache)
    result = run_here(kind="draw_map", now=NOW)
    assert result["books"] == MapPoint.objects.count() == CATEGORISED + UNCATEGORISED
    first = {(p.book_id, p.x, p.y) for p in MapPoint.objects.all()}
    assert all(-1 <= x <= 1 and -1 <= y <= 1 for _book, x, y in first)
    draw_map(JobContext(now=NOW))
    assert {(p.book_id, p.x, p.y) for p in MapPoint.objects.all()} == first
    # Nothing has changed, so there is nothing to do; without its rows there is.
    assert "skipped" in run_here(kind="draw_map", now=NOW)
    MapPoint.objects.first().delete()
    assert "skipped" not in run_here(kind="draw_map", now=NOW)
    monkeypatch.setattr(collection_map, "MAX_BOOKS", 20)
    assert draw_map(JobContext(now=NOW), seed=1)["books"] == MapPoint.objects.count() == 20


def point(**fields):
    version = MapPoint.objects.values_list("model_version", flat=True).first() or make_version(name="v").pk
    return MapPoint.objects.create(
        model_version_id=version, created_at=NOW, **{"x": 0.5, "y": -0.25} | fields
    )


def test_color_is_category_or_best_suggestion(django_assert_num_queries):
    filed, guessed = make_category(notation="530", label_en="Physics"), make_category(notation="610")
    first = point(book=make_book(title="Optics", category=filed))
    suggestion = make_suggestion(category=guessed)
    point(book=suggestion.book)
    make_suggestion(book=first.book, category=guessed)
    point(book=make_book())
    with django_assert_num_queries(2):
        found = map_points()
    assert [place.category for place in found] == [filed, guessed, None]
    assert (found[0].title, found[0].x, found[0].y) == ("Optics", 0.5, -0.25)
    assert last_drawn() == ("v", NOW)


def test_the_page_leads_to_each_book_by_its_table():
    book = point(book=make_book(title="Optics", category=make_category(notation="530"))).book
    page = desk(make_librarian()).get(PAGE).content.decode()
    assert f'<a href="/admin/catalogue/book/{book.pk}/change/">Optics</a>' in page
    assert "Drawn with v" in page


def test_a_deleted_book_leaves_the_map():
    point(book=make_book())
    Book.objects.all().delete()
    assert (map_points(), last_drawn()) == ([], None)


def test_only_librarians_may_redraw():
    client = desk(make_librarian())
    page = client.get(PAGE).content.decode()
    assert "No map yet." in page
    assert "Redraw map" in page
    client.post(PAGE)
    assert Run.objects.get().kind == "draw_map"
    analyst = desk(make_user(ANALYSTS))
    assert "Redraw map" not in analyst.get(PAGE).content.decode()
    assert analyst.post(PAGE).status_code == 403
    assert desk(make_user(CIRCULATION)).get(PAGE).status_code == 403
