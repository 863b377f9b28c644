"""Batches in the REST API: read the changes, accept some of them, undo a whole batch."""

import django_filters
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.api.permissions import CanFileBooks, CanUndoBatch
from classifier.api.runs import RunSerializer
from classifier.dispatch import request_undo
from classifier.models import Batch, Change, Run
from classifier.services.classification.batches.acceptance import accept
from library.admin_site.users import signed_in
from library.catalogue.api.lookup import FILTERS
from library.catalogue.selectors.lookup import search_titles
from library.rest.auth.permissions import PersonalDataPermissions
from library.rest.serializers import validated_body
from library.rest.views import ReadViewSet


class BatchSerializer(serializers.ModelSerializer):
    model_version = serializers.CharField(source="model_version.name", read_only=True)
    undone_by = serializers.CharField(source="undone_by.username", read_only=True, default=None)
    changed = serializers.DictField(
        child=serializers.IntegerField(), read_only=True, help_text="Number of books by kind of change."
    )
    unchanged = serializers.DictField(
        child=serializers.IntegerField(),
        read_only=True,
        help_text="Number of books that undoing the batch did not restore, by reason: `decided` (filed by a "
        "person or an import since) or `classified_again` (by a later batch).",
    )

    class Meta:
        model = Batch
        fields = [
            "id",
            "state",
            "run",
            "model_version",
            "created_at",
            "precision",
            "books",
            "changed",
            "complete",
            "undone_at",
            "undone_by",
            "unchanged",
        ]


class AcceptSerializer(serializers.Serializer):
    changes = serializers.ListField(
        child=serializers.IntegerField(),
        required=False,
        help_text="IDs of the changes to accept. Default: all changes of the batch.",
    )


class AcceptanceSerializer(serializers.Serializer):
    filed = serializers.IntegerField(help_text="Books filed under the suggested category.")
    decided = serializers.IntegerField(help_text="Books skipped: already filed by a person or an import.")
    unsure = serializers.IntegerField(help_text="Books skipped: no suggestion, or already reviewed.")


class BatchViewSet(ReadViewSet):
    """Batches of books classified by one model version, newest first."""

    queryset = Batch.objects.select_related("model_version", "undone_by")
    serializer_class = BatchSerializer
    permission_classes = [PersonalDataPermissions]
    filterset_fields = ["state", "run", "complete", "model_version"]
    ordering_fields = ["created_at"]

    @extend_schema(
        request=None,
        responses={202: OpenApiResponse(RunSerializer, description="The run that undoes the batch.")},
    )
    @action(detail=True, methods=["post"], permission_classes=[CanUndoBatch])
    def undo(self, request: Request, pk: str) -> Response:
        """Undo a batch. Books that were filed manually or reclassified since are not restored."""
        requested = request_undo(
            batch=self.get_object(),
            trigger=Run.Trigger.API,
            now=timezone.now(),
            user=signed_in(request.user),
        )
        data = RunSerializer(requested.run, context=self.get_serializer_context()).data
        return Response(data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=AcceptSerializer, responses=AcceptanceSerializer)
    @action(detail=True, methods=["post"], permission_classes=[CanFileBooks])
    def accept(self, request: Request, pk: str) -> Response:
        """File the books of a batch under the suggested categories, with the model as their source."""
        result = accept(
            batch=self.get_object(),
            change_ids=validated_body(AcceptSerializer, request).get("changes"),
            now=timezone.now(),
            user=signed_in(request.user),
        )
        return Response(AcceptanceSerializer(result).data)


class ChangeSerializer(serializers.ModelSerializer):
    title = serializers.CharField(source="book.title", read_only=True)

    class Meta:
        model = Change
        fields = [
            "id",
            "batch",
            "book",
            "title",
            "kind",
            "from_category",
            "from_probability",
            "from_abstained",
            "to_category",
            "to_probability",
            "to_abstained",
            "accepted_at",
            "superseded",
            "undone",
        ]


class ChangeFilter(django_filters.FilterSet):
    batch = django_filters.NumberFilter(field_name="batch_id")
    book = django_filters.NumberFilter(field_name="book_id")
    from_category = django_filters.NumberFilter(field_name="from_category_id")
    to_category = django_filters.NumberFilter(field_name="to_category_id")
    to_probability = django_filters.RangeFilter()

    class Meta:
        model = Change
        fields = ["kind", "to_abstained", "superseded", "undone"]


class ChangeViewSet(ReadViewSet):
    """First suggestions of books before and after a batch."""

    queryset = Change.objects.select_related("book").defer("before")
    serializer_class = ChangeSerializer
    permission_classes = [PersonalDataPermissions]
    filterset_class = ChangeFilter
    filter_backends = FILTERS
    lookups = {"book": search_titles}
    ordering_fields = ["to_probability"]
