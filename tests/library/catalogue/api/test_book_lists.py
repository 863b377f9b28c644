"""Lists of books in the API: search, filters, fields and pages."""

import base64

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from library.catalogue.api.serializers import CatalogueBookSerializer
from library.catalogue.models import Book
from library.catalogue.services import index_books
from tests.databases import both_databases, on_postgresql
from tests.factories import make_book, make_branch, make_category, make_copy
from tests.logins import api, make_librarian, make_user_without_permissions
from tests.problems import errors_by_place

BOOKS = "/api/v1/books/"


def get_json(client, **query):
    response = client.get(BOOKS, query)
    assert response.status_code == 200, response.content
    return response.json()


def titles(client, **query):
    return [row["title"] for row in get_json(client, **query)["results"]]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"search": "optics"}, ["Optics", "Optics of the eye", "Light"]),
        ({"search": "optics", "ordering": "-year"}, ["Light", "Optics", "Optics of the eye"]),
        ({"search": "optics", "pagination": "cursor"}, ["Light", "Optics", "Optics of the eye"]),
        ({"search": "optics", "language": "en"}, ["Optics", "Light"]),
        ({"search": "optics", "page_size": 2, "page": 2}, ["Light"]),
        ({"search": "nothing"}, []),
        ({"search": " "}, ["Light", "Optics", "Optics of the eye"]),
        ({"search": "?!"}, []),
    ],
)
def test_best_matches_come_first_by_default(query, expected):
    make_book(control_number="1", title="Light", description="Optics", year=2001, language="en")
    make_book(control_number="2", title="Optics", year=2000, language="en")
    make_book(control_number="3", title="Optics of the eye", year=1999, language="de")
    assert titles(api(make_user_without_permissions()), **query) == expected


@pytest.mark.django_db
def test_search_returns_its_count():
    for number in range(3):
        make_book(title=f"Optics {number}")
    make_book()
    client = api(make_user_without_permissions())
    page = get_json(client, search="optics", page_size=2)
    assert (page["count"], len(page["results"])) == (3, 2)
    assert titles(client, search="optics", page_size=2, page=2) == ["Optics 2"]
    assert client.get(f"{BOOKS}?search=optics&page=3").status_code == 404


@pytest.mark.django_db
def test_new_book_is_searchable_at_once():
    client = api(make_librarian())
    pk = client.post(BOOKS, {"control_number": "9", "title": "Optics"}, format="json").json()["id"]
    assert titles(client, search="optics") == ["Optics"]
    client.patch(f"{BOOKS}{pk}/", {"title": "Waves"}, format="json")
    assert (titles(client, search="optics"), titles(client, search="waves")) == ([], ["Waves"])


@pytest.mark.django_db
def test_record_ignores_list_parameters():
    book = make_book(title="Optics")
    client = api(make_user_without_permissions())
    assert client.get(f"{BOOKS}{book.pk}/?search=optics").json()["title"] == "Optics"
    assert client.get(f"{BOOKS}{book.pk}/?search=waves").status_code == 404


@pytest.mark.django_db
def test_books_are_filtered():
    above, other = make_category(), make_category()
    below = make_category(parent=make_category(parent=above))
    main, north = make_branch(), make_branch()
    a = make_book(title="A", category=below, year=1990, cover="covers/a.jpg")
    b = make_book(title="B", category=above, year=2000)
    c = make_book(title="C", category=other, year=2010)
    make_book(title="D")
    make_copy(book=a, branch=main)
    make_copy(book=a, branch=north, status="on_loan")
    make_copy(book=b, branch=main, status="on_loan")
    make_copy(book=b, branch=north)
    make_copy(book=c, branch=main, status="lost")
    client = api(make_user_without_permissions())
    expected = [
        ({"category": above.pk}, ["A", "B"]),
        ({"category": below.pk}, ["A"]),
        ({"year_min": 1995, "year_max": 2005}, ["B"]),
        ({"has_cover": True}, ["A"]),
        ({"has_cover": False}, ["B", "C", "D"]),
        ({"branch": main.pk}, ["A", "B"]),
        ({"available": True}, ["A", "B"]),
        ({"available": False}, ["C", "D"]),
        ({"branch": main.pk, "available": True}, ["A"]),
        ({"branch": north.pk, "available": True}, ["B"]),
        ({"branch": north.pk, "available": True, "category": below.pk}, []),
    ]
    assert [(query, titles(client, **query)) for query, _titles in expected] == expected


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["category", "branch"])
@pytest.mark.parametrize("value", ["0", "x", "9" * 40])
def test_unknown_filter_value_is_400(name, value):
    response = api(make_user_without_permissions()).get(BOOKS, {name: value})
    assert (response.status_code, list(errors_by_place(response.json()))) == (400, [name])


@pytest.mark.django_db
def test_book_lists_copies_by_branch():
    main, north = make_branch(code="main", name="Main"), make_branch(code="north", name="North")
    book = make_book(title="Optics")
    make_copy(book=book, branch=north)
    make_copy(book=book, branch=main, status="on_loan")
    make_copy(book=book, branch=main)
    make_copy(book=book, status="in_transit")
    for status in ("lost", "withdrawn"):
        make_copy(book=book, branch=main, status=status)
    expected = {
        "copies": 4,
        "available": 2,
        "branches": [
            {"branch": main.pk, "code": "main", "name": "Main", "copies": 2, "available": 1},
            {"branch": north.pk, "code": "north", "name": "North", "copies": 1, "available": 1},
            {"branch": None, "code": None, "name": None, "copies": 1, "available": 0},
        ],
    }
    client = api(make_user_without_permissions())
    assert client.get(f"{BOOKS}{book.pk}/").json()["availability"] == expected
    assert get_json(client)["results"][0]["availability"] == expected
    make_book(title="Waves")
    assert [row["availability"]["copies"] for row in get_json(client)["results"]] == [4, 0]


@pytest.mark.django_db
@given(names=st.lists(st.sampled_from(CatalogueBookSerializer.Meta.fields), min_size=1))
@settings(max_examples=30)
def test_fields_parameter_limits_fields(names):
    book = Book.objects.filter(control_number="fields").first() or make_book(
        control_number="fields", category=make_category(), cover="covers/a.jpg", language="en"
    )
    client = api(get_user())
    whole = client.get(f"{BOOKS}{book.pk}/").json()
    expected = {name: whole[name] for name in names}
    assert client.get(f"{BOOKS}{book.pk}/", {"fields": ",".join(names)}).json() == expected
    assert get_json(client, fields=",".join(names), search=book.title)["results"] == [expected]
    page = get_json(client, fields=",".join(names), pagination="cursor")
    assert expected in page["results"]


def get_user():
    return User.objects.get_or_create(username="reader")[0]


@pytest.mark.django_db
@pytest.mark.parametrize("fields", ["id,titel", "", ",", "id,category__notation", "password"])
@pytest.mark.parametrize("page", ["", "0/"])
def test_unknown_fields_are_400(fields, page):
    response = api(make_user_without_permissions()).get(BOOKS + page, {"fields": fields})
    assert (response.status_code, list(errors_by_place(response.json()))) == (400, ["fields"])
    assert "Available fields: id, control_number, title," in errors_by_place(response.json())["fields"][0]


@pytest.mark.django_db
def test_unrequested_fields_need_no_queries():
    make_copy(book=make_book(category=make_category()))
    client = api(make_user_without_permissions())
    with CaptureQueriesContext(connection) as queries:
        get_json(client, fields="id,title", pagination="cursor")
    (query,) = [query["sql"] for query in queries if "catalogue_book" in query["sql"]]
    assert "description" not in query
    assert not [query for query in queries if "category" in query["sql"] or "catalogue_copy" in query["sql"]]


@pytest.mark.django_db
@pytest.mark.parametrize("ordering", ["control_number", "-control_number"])
def test_cursors_visit_all_books_both_ways(ordering):
    numbers = [make_book(control_number=f"N{number}").control_number for number in range(7)]
    client, page, forward, back = api(make_user_without_permissions()), None, [], []
    url = f"{BOOKS}?pagination=cursor&page_size=3&ordering={ordering}"
    while url:
        page = client.get(url).json()
        assert "count" not in page
        forward += [row["control_number"] for row in page["results"]]
        url = page["next"]
    assert forward == (numbers if ordering == "control_number" else numbers[::-1])
    while page["previous"]:
        page = client.get(page["previous"]).json()
        back = [row["control_number"] for row in page["results"]] + back
    assert back == forward[: len(back)]
    assert len(back) == 6


def cursor(text):
    return base64.b64encode(text.encode()).decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"pagination": "scroll"}, 400),
        ({"pagination": "cursor", "ordering": "year"}, 400),
        ({"pagination": "cursor", "ordering": "--control_number"}, 400),
        ({"cursor": "nonsense"}, 404),
        ({"cursor": cursor("p=\0")}, 404),
        ({"cursor": cursor("p=x&o=nan")}, 404),
        ({"cursor": cursor("p=x&o=-1")}, 404),
        ({"page": "0"}, 404),
    ],
)
def test_invalid_page_is_refused(query, status):
    make_book()
    assert api(make_user_without_permissions()).get(BOOKS, query).status_code == status


def plan(query):
    """Return the nodes of PostgreSQL's plan for a query, with the rows they returned and removed."""
    with connection.cursor() as explaining:
        explaining.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}")
        ((explained,),) = explaining.fetchall()
    nodes, pending = [], [explained[0]["Plan"]]
    while pending:
        node = pending.pop()
        pending += node.get("Plans", [])
        nodes.append(node)
    return nodes


@on_postgresql
def test_last_cursor_page_costs_no_more_than_the_first(database):
    Book.objects.bulk_create(Book(control_number=f"N{number:06}", title="x") for number in range(4_000))
    with connection.cursor() as db_cursor:
        db_cursor.execute("ANALYZE catalogue_book")
    client = api(make_user_without_permissions())
    read = []
    for position in (None, "N002000", "N003900"):
        at = {"cursor": cursor(f"p={position}")} if position else {}
        with CaptureQueriesContext(connection) as queries:
            get_json(client, pagination="cursor", fields="id,title", **at)
        (query,) = [query["sql"] for query in queries if "catalogue_book" in query["sql"]]
        read.append(
            [(n["Node Type"], n["Actual Rows"], n.get("Rows Removed by Filter", 0)) for n in plan(query)]
        )
    assert read == [[("Limit", 51, 0), ("Index Scan", 51, 0)]] * 3


@both_databases
def test_search_has_constant_query_count(database):
    counts = []
    client = api(make_user_without_permissions())
    for start in (0, 3, 100):
        Book.objects.bulk_create(
            Book(control_number=f"N{n}", title=f"Optics {n}") for n in range(start, start * 2 + 3)
        )
        index_books(pks=Book.objects.values_list("pk", flat=True))
        with CaptureQueriesContext(connection) as queries:
            assert get_json(client, search="optics")["count"] == Book.objects.count()
        counts.append(len(queries) - 1)
    assert counts == [3, 3, 3]  # the hits, the page, its copies


PARAMETERS = [
    *("search", "fields", "cursor", "pagination", "ordering", "page", "page_size", "category", "branch"),
    *("available", "has_cover", "year_min", "language", "notation"),
]


@both_databases
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    query=st.dictionaries(
        st.sampled_from(PARAMETERS),
        st.text() | st.sampled_from(["1", "cursor", "title", "-year", "true", "\0", "9" * 30]),
    )
)
def test_any_query_string_gets_a_valid_response(database, query):
    response = api(get_user()).get(BOOKS, query)
    assert response.status_code in (200, 400, 404), response.content
