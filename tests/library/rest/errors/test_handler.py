import pytest
from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.test import RequestFactory
from rest_framework.exceptions import NotFound, ValidationError

from library.circulation.models import Loan
from library.errors import LibraryError
from library.rest.errors.handler import ParameterError, error_response
from tests.factories import NOW, make_borrower, make_loan
from tests.problems import faults

CONTEXT = {"request": RequestFactory().post("/api/v1/shelves/4/?name=Chen")}


class ShelfFullError(LibraryError):
    pass


def test_a_library_error_says_what_is_wrong_to_programs_and_to_people():
    response = error_response(ShelfFullError("The shelf is full. Empty it.", shelf=4), CONTEXT)
    assert response.status_code == 400
    assert response.data == {
        "type": "/api/docs/#shelf_full_error",
        "title": "The request is not valid",
        "status": 400,
        "detail": "The shelf is full. Empty it.",
        "instance": "/api/v1/shelves/4/",
        "code": "shelf_full_error",
        "extra": {"shelf": 4},
    }


@pytest.mark.django_db
def test_a_write_that_another_one_overtook_is_a_conflict(caplog):
    out = make_loan()
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        Loan.objects.create(copy=out.copy, borrower=make_borrower(), borrowed_at=NOW, due_at=NOW)
    response = error_response(caught.value, CONTEXT)
    assert (response.status_code, response.data["code"]) == (409, "conflict")
    assert caplog.messages == ["A write broke a constraint"]


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ({"year": ["Not a number."]}, {"/year": ["Not a number."]}),
        ({"year": ["a", "b"]}, {"/year": ["a", "b"]}),
        ({"non_field_errors": ["Both."]}, {"": ["Both."]}),
        (["Not this."], {"": ["Not this."]}),
        ({"children": [{}, {"a/b~c": ["x"]}]}, {"/children/1/a~1b~0c": ["x"]}),
        ({"children": {"non_field_errors": ["Empty."]}}, {"/children": ["Empty."]}),
        ({"changes": {3: ["Not a number."]}}, {"/changes/3": ["Not a number."]}),
    ],
)
def test_values_that_are_not_valid_are_pointed_to(told, found):
    response = error_response(ValidationError(told), CONTEXT)
    assert response.status_code == 400
    assert response.data["detail"] == "Some values are not valid: see errors."
    assert faults(response.data) == found
    assert all("pointer" in error for error in response.data["errors"])


def test_a_parameter_of_an_address_is_named_as_one():
    asked = {"request": RequestFactory().get("/api/v1/books/")}
    response = error_response(ValidationError({"year": ["Not a number."]}), asked)
    (error,) = response.data["errors"]
    assert error == {"detail": "Not a number.", "code": "invalid", "parameter": "year"}


def test_a_parameter_is_named_as_one_where_there_is_a_body_too():
    response = error_response(ParameterError({"limit": ["Not a number."]}), CONTEXT)
    (error,) = response.data["errors"]
    assert error == {"detail": "Not a number.", "code": "invalid", "parameter": "limit"}


def test_what_rest_framework_raises_has_its_own_status_and_code():
    response = error_response(NotFound(), CONTEXT)
    assert (response.status_code, response.data["code"], response.data["detail"]) == (
        404,
        "not_found",
        "Not found.",
    )


def test_a_bug_is_not_dressed_up_as_an_answer():
    assert error_response(KeyError("x"), CONTEXT) is None


@pytest.mark.parametrize("kind", [InterfaceError, OperationalError])
def test_a_database_that_is_away_is_worth_another_try(kind, caplog):
    response = error_response(kind("connection refused"), CONTEXT)
    assert (response.status_code, response.data["code"], response["Retry-After"]) == (
        503,
        "database_away",
        "5",
    )
    assert "refused" not in str(response.data)
    assert caplog.messages == ["The database is away"]


@pytest.mark.django_db
def test_a_table_that_is_missing_is_a_bug():
    with pytest.raises(OperationalError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT * FROM nowhere")
    assert error_response(caught.value, CONTEXT) is None
