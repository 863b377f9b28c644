import pytest
from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.test import RequestFactory
from rest_framework.exceptions import NotFound, ValidationError

from library.circulation.models import Loan
from library.errors import LibraryError
from library.rest.errors.handler import ParameterError, error_response
from tests.factories import NOW, make_borrower, make_loan
from tests.problems import errors_by_place

CONTEXT = {"request": RequestFactory().post("/api/v1/shelves/4/?name=Chen")}


class ShelfFullError(LibraryError):
    pass


def test_library_error_is_400_with_code_and_detail():
    response = error_response(ShelfFullError("The shelf is full. Empty it.", shelf=4), CONTEXT)
    assert response.status_code == 400
    assert response.data == {
        "type": "/api/docs/#shelf_full",
        "title": "Bad request",
        "status": 400,
        "detail": "The shelf is full. Empty it.",
        "instance": "/api/v1/shelves/4/",
        "code": "shelf_full",
        "extra": {"shelf": 4},
    }


@pytest.mark.django_db
def test_violated_constraint_is_409(caplog):
    out = make_loan()
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        Loan.objects.create(copy=out.copy, borrower=make_borrower(), borrowed_at=NOW, due_at=NOW)
    response = error_response(caught.value, CONTEXT)
    assert (response.status_code, response.data["code"]) == (409, "conflict")
    assert caplog.messages == ["A write violated a constraint"]


@pytest.mark.parametrize(
    ("errors", "places"),
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
def test_invalid_values_have_pointers(errors, places):
    response = error_response(ValidationError(errors), CONTEXT)
    assert response.status_code == 400
    assert response.data["detail"] == "Some values are not valid. See “errors” for details."
    assert errors_by_place(response.data) == places
    assert all("pointer" in error for error in response.data["errors"])


def test_error_of_a_get_has_a_parameter():
    context = {"request": RequestFactory().get("/api/v1/books/")}
    response = error_response(ValidationError({"year": ["Not a number."]}), context)
    (error,) = response.data["errors"]
    assert error == {"detail": "Not a number.", "code": "invalid", "parameter": "year"}


def test_parameter_error_of_a_post_has_a_parameter():
    response = error_response(ParameterError({"limit": ["Not a number."]}), CONTEXT)
    (error,) = response.data["errors"]
    assert error == {"detail": "Not a number.", "code": "invalid", "parameter": "limit"}


def test_rest_framework_error_keeps_status_and_code():
    response = error_response(NotFound(), CONTEXT)
    assert (response.status_code, response.data["code"], response.data["detail"]) == (
        404,
        "not_found",
        "Not found.",
    )


def test_bug_is_not_handled():
    assert error_response(KeyError("x"), CONTEXT) is None


@pytest.mark.parametrize("kind", [InterfaceError, OperationalError])
def test_unavailable_database_is_503(kind, caplog):
    response = error_response(kind("connection refused"), CONTEXT)
    assert (response.status_code, response.data["code"], response["Retry-After"]) == (
        503,
        "database_unavailable",
        "5",
    )
    assert "refused" not in str(response.data)
    assert caplog.messages == ["The database is unavailable"]


@pytest.mark.django_db
def test_missing_table_is_a_bug():
    with pytest.raises(OperationalError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT * FROM nowhere")
    assert error_response(caught.value, CONTEXT) is None
