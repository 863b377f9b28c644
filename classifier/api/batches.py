"""Reclassifications in the REST API: what each changed, accepted in part, undone as a whole."""

import django_filters
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from classifier.api.runs import RunSerializer
from classifier.api.suggestions import MayFileBooks
from classifier.dispatch import ask_to_undo
from classifier.models import Change, Reclassification, Run
from classifier.services.classification.batches import accept
from library.admin_site.users import signed_in
from library.catalogue.api.lookup import FILTERS
from library.catalogue.selectors.lookup import titles_called
from library.rest.auth.permissions import PersonalDataPermissions
from library.rest.views import ReadViewSet


class MayUndo(BasePermission):
    """Undoing changes the batch."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.user.has_perm("classifier.change_reclassification")


class ReclassificationSerializer(serializers.ModelSerializer):
    model_version = serializers.CharField(source="model_version.name", read_only=True)
    undone_by = serializers.CharField(source="undone_by.username", read_only=True, default=None)
    changed = serializers.DictField(
        child=serializers.IntegerField(), read_only=True, help_text="How many books, by kind of change."
    )
    kept = serializers.DictField(
        child=serializers.IntegerField(),
        read_only=True,
        help_text="How many books stayed as they were when it was undone, and why: `decided` by a person "
        "since, or `classified_again` by a later batch.",
    )

    class Meta:
        model = Reclassification
        fields = [
            "id",
            "state",
            "run",
            "model_version",
            "made_at",
            "precision",
            "books",
            "changed",
            "complete",
            "undone_at",
            "undone_by",
            "kept",
        ]


class AcceptSerializer(serializers.Serializer):
    changes = serializers.ListField(
        child=serializers.IntegerField(), required=False, help_text="Their ids; left out, all of the batch."
    )


class AcceptedSerializer(serializers.Serializer):
    filed = serializers.IntegerField(help_text="Books that have the category now, as the model's.")
    decided = serializers.IntegerField(help_text="Left out: a person or an import has filed the book.")
    unsure = serializers.IntegerField(help_text="Left out: no suggestion, or settled before.")


class ReclassificationViewSet(ReadViewSet):
    """Batches of books classified by one version, the newest first; what each changed is under changes."""

    queryset = Reclassification.objects.select_related("model_version", "undone_by")
    serializer_class = ReclassificationSerializer
    permission_classes = [PersonalDataPermissions]
    filterset_fields = ["state", "run", "complete", "model_version"]
    ordering_fields = ["made_at"]

    @extend_schema(
        request=None, responses={202: OpenApiResponse(RunSerializer, description="A worker will do it.")}
    )
    @action(detail=True, methods=["post"], permission_classes=[MayUndo])
    def undo(self, request: Request, pk: str) -> Response:
        """Take a batch back; what a person decided since, or a later batch classified, stays."""
        asked = ask_to_undo(
            batch=self.get_object(),
            trigger=Run.Trigger.API,
            now=timezone.now(),
            user=signed_in(request.user),
        )
        data = RunSerializer(asked.run, context=self.get_serializer_context()).data
        return Response(data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=AcceptSerializer, responses=AcceptedSerializer)
    @action(detail=True, methods=["post"], permission_classes=[MayFileBooks])
    def accept(self, request: Request, pk: str) -> Response:
        """File the books of some changes under what is suggested, as categories of the model."""
        given = AcceptSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        done = accept(
            batch=self.get_object(),
            change_ids=given.validated_data.get("changes"),
            now=timezone.now(),
            user=signed_in(request.user),
        )
        return Response(AcceptedSerializer(done).data)


class ChangeSerializer(serializers.ModelSerializer):
    title = serializers.CharField(source="book.title", read_only=True)

    class Meta:
        model = Change
        fields = [
            "id",
            "reclassification",
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
            "taken_back",
        ]


class ChangeFilter(django_filters.FilterSet):
    reclassification = django_filters.NumberFilter(field_name="reclassification_id")
    book = django_filters.NumberFilter(field_name="book_id")
    from_category = django_filters.NumberFilter(field_name="from_category_id")
    to_category = django_filters.NumberFilter(field_name="to_category_id")
    to_probability = django_filters.RangeFilter()

    class Meta:
        model = Change
        fields = ["kind", "to_abstained", "superseded", "taken_back"]


class ChangeViewSet(ReadViewSet):
    """First suggestions before and after a batch."""

    queryset = Change.objects.select_related("book").defer("before")
    serializer_class = ChangeSerializer
    permission_classes = [PersonalDataPermissions]
    filterset_class = ChangeFilter
    filter_backends = FILTERS
    found_by = {"book": titles_called}
    ordering_fields = ["to_probability"]
