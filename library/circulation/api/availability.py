"""Where a title can be had, and how many wait for it."""

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from library.catalogue.api.serializers import AVAILABILITY, AvailabilitySerializer
from library.catalogue.models import Book
from library.catalogue.selectors.books import availability
from library.circulation.selectors.holds import number_waiting
from library.rest.schema.examples import example


@example("one can be had", AVAILABILITY | {"holds_waiting": 0})
class TitleAvailabilitySerializer(AvailabilitySerializer):
    holds_waiting = serializers.IntegerField(
        help_text="Holds that no copy is set aside for, suspended ones too: a new one stands behind them."
    )


class AvailabilityView(APIView):
    """What the book's own `availability` says, and the length of its queue. Nobody in it is named."""

    # The permission to read a book: whoever is signed in has it.
    queryset = Book.objects.all()

    @extend_schema(
        parameters=[OpenApiParameter("book_id", int, OpenApiParameter.PATH, description="The book.")],
        responses=TitleAvailabilitySerializer,
    )
    def get(self, request: Request, book_id: int) -> Response:
        """Return the copies of a title by branch, and how many holds wait."""
        book = get_object_or_404(Book.objects.only("pk"), pk=book_id)
        copies = availability(books=[book.pk])[book.pk]
        return Response(copies | {"holds_waiting": number_waiting(book=book.pk)})
