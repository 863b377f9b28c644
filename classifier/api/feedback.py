"""Borrower feedback on titles in the REST API: read, give, withdraw."""

from typing import Any

import django_filters
from django.db import transaction
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.models import Feedback
from classifier.services.recommendation.feedback import give_feedback, withdraw_feedback
from library.catalogue.api.lookup import FILTERS
from library.catalogue.models import Book
from library.catalogue.selectors.lookup import search_titles
from library.people.api.audit import Action, AuditedViewSet
from library.people.models import PERSONAL_FIELDS, Borrower
from library.people.selectors import borrowers_by_card_number, without_personal_data
from library.rest.auth.permissions import PersonalDataPermissions
from library.rest.serializers import validated_body
from library.rest.views import ReadViewSet


class FeedbackSerializer(serializers.ModelSerializer):
    card_number = serializers.CharField(source="borrower.card_number", read_only=True)
    title = serializers.CharField(source="book.title", read_only=True)

    class Meta:
        model = Feedback
        fields = ["id", "borrower", "card_number", "book", "title", "verdict", "created_at"]


class GiveFeedbackSerializer(serializers.Serializer):
    borrower = serializers.PrimaryKeyRelatedField(queryset=Borrower.objects.defer(*PERSONAL_FIELDS))
    book = serializers.PrimaryKeyRelatedField(queryset=Book.objects.all())
    verdict = serializers.ChoiceField(choices=Feedback.Verdict.choices)


class FeedbackFilter(django_filters.FilterSet):
    borrower = django_filters.NumberFilter(field_name="borrower_id")
    card_number = django_filters.CharFilter(field_name="borrower__card_number")
    book = django_filters.NumberFilter(field_name="book_id")

    class Meta:
        model = Feedback
        fields = ["verdict"]


class FeedbackViewSet(AuditedViewSet, ReadViewSet):
    """Borrower feedback on titles, newest first."""

    queryset = without_personal_data(Feedback.objects.select_related("book"))
    serializer_class = FeedbackSerializer
    permission_classes = [PersonalDataPermissions]
    filterset_class = FeedbackFilter
    filter_backends = FILTERS
    lookups = {"borrower": borrowers_by_card_number, "book": search_titles}
    ordering_fields = ["created_at"]

    @extend_schema(request=GiveFeedbackSerializer, responses={201: FeedbackSerializer})
    @transaction.atomic
    def create(self, request: Request) -> Response:
        """Record feedback on a title. It replaces the borrower's earlier feedback on that title."""
        feedback = give_feedback(**validated_body(GiveFeedbackSerializer, request), now=timezone.now())
        return self.changed_response(feedback, status=status.HTTP_201_CREATED)

    @transaction.atomic
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Withdraw feedback."""
        feedback = self.get_object()
        withdraw_feedback(borrower=feedback.borrower, book=feedback.book)
        self.audit(Action.CHANGED, object_key=kwargs["pk"])
        return Response(status=status.HTTP_204_NO_CONTENT)
