"""Availability of a title: copies by branch, and waiting holds."""

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from library.catalogue.api.serializers import AVAILABILITY, AvailabilitySerializer
from library.catalogue.models import Book
from library.catalogue.selectors.books import availability
from library.circulation.selectors.holds import count_waiting_holds
from library.rest.schema.examples import example


@example("one copy available", AVAILABILITY | {"holds_waiting": 0})
class TitleAvailabilitySerializer(AvailabilitySerializer):
    holds_waiting = serializers.IntegerField(
        help_text="Active holds without a copy, including suspended ones; a new hold is placed after them."
    )


class AvailabilityView(APIView):
    """The `availability` of a book with the length of its queue, without borrowers."""

    # Needs the permission to view books, which every user has.
    queryset = Book.objects.all()

    @extend_schema(
        parameters=[OpenApiParameter("book_id", int, OpenApiParameter.PATH, description="The book.")],
        responses=TitleAvailabilitySerializer,
    )
    def get(self, request: Request, book_id: int) -> Response:
        """Return the copies of a title by branch, and how many holds wait."""
        book = get_object_or_404(Book.objects.only("pk"), pk=book_id)
        copies = availability(books=[book.pk])[book.pk]
        return Response(copies | {"holds_waiting": count_waiting_holds(book=book.pk)})
