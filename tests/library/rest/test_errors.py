import json

import pytest
from django.db import IntegrityError, transaction
from rest_framework.exceptions import NotFound, ValidationError

from library.circulation.models import Loan
from library.errors import LibraryError
from library.rest.errors import error_response
from tests.factories import NOW, make_borrower, make_loan


class ShelfFullError(LibraryError):
    pass


def test_a_library_error_says_what_is_wrong_to_programs_and_to_people():
    response = error_response(ShelfFullError("The shelf is full. Empty it.", shelf=4), {})
    assert response.status_code == 400
    assert response.data == {
        "code": "shelf_full_error",
        "detail": "The shelf is full. Empty it.",
        "extra": {"shelf": 4},
    }


@pytest.mark.django_db
def test_a_write_that_another_one_overtook_is_a_conflict(caplog):
    out = make_loan()
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        Loan.objects.create(copy=out.copy, borrower=make_borrower(), borrowed_at=NOW, due_at=NOW)
    response = error_response(caught.value, {})
    assert (response.status_code, response.data["code"]) == (409, "conflict")
    assert caplog.messages == ["A write broke a constraint"]


def test_values_that_are_not_valid_are_named():
    response = error_response(ValidationError({"year": ["Not a number."]}), {})
    assert response.status_code == 400
    assert json.loads(json.dumps(response.data)) == {
        "code": "invalid",
        "detail": "Some values are not valid: see errors.",
        "errors": {"year": ["Not a number."]},
    }


def test_what_rest_framework_raises_gets_a_code():
    response = error_response(NotFound(), {})
    assert (response.status_code, response.data) == (404, {"detail": "Not found.", "code": "not_found"})


def test_a_bug_is_not_dressed_up_as_an_answer():
    assert error_response(KeyError("x"), {}) is None
