"""Model versions and alerts in the REST API."""

from django.db.models import F
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.api.permissions import CanChangeVersion
from classifier.dispatch import request_run
from classifier.models import Alert, ModelVersion, Run
from classifier.services.registry.promotion import pin, promote, rollback
from library.admin_site.users import signed_in
from library.rest.auth.permissions import PersonalDataPermissions
from library.rest.serializers import validated_body
from library.rest.views import ReadViewSet


class ModelVersionSerializer(serializers.ModelSerializer):
    # REST framework's type stubs declare another `parent`.
    parent = serializers.CharField(  # type: ignore[assignment]
        source="parent.name", default=None, read_only=True, help_text="Version it was compared with."
    )
    previous = serializers.CharField(
        source="previous.name",
        default=None,
        read_only=True,
        help_text="Version that was active before; `rollback` returns to it.",
    )
    passed = serializers.BooleanField(
        source="verdict.passed",
        default=None,
        read_only=True,
        help_text="Whether it passed the quality check.",
    )
    reasons = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="Results of the quality check, as text."
    )
    accuracy = serializers.FloatField(read_only=True, allow_null=True, help_text="On its own held-out books.")
    macro_f1 = serializers.FloatField(read_only=True, allow_null=True, help_text="On its own held-out books.")

    class Meta:
        model = ModelVersion
        fields = [
            "id", "name", "state", "created_at", "activated_at", "pinned", "pruned_at", "parent", "previous",
            "trained_by", "fingerprint", "seed", "accuracy", "macro_f1", "passed", "reasons",
        ]  # fmt: skip


class ModelVersionDetailSerializer(ModelVersionSerializer):
    class Meta(ModelVersionSerializer.Meta):
        fields = [*ModelVersionSerializer.Meta.fields, "metrics", "comparison", "profile", "config"]


class PinSerializer(serializers.Serializer):
    pinned = serializers.BooleanField()


class ModelVersionViewSet(ReadViewSet):
    """Model versions, newest first. The active version classifies."""

    queryset = ModelVersion.objects.select_related("parent", "previous").annotate(
        **{name: F(f"metrics__fused__{name}") for name in ("accuracy", "macro_f1")}
    )
    permission_classes = [PersonalDataPermissions]
    filterset_fields = ["state", "pinned"]
    search_fields = ["name"]
    ordering_fields = ["created_at", "activated_at"]

    def get_serializer_class(self) -> type[ModelVersionSerializer]:
        return ModelVersionSerializer if self.action == "list" else ModelVersionDetailSerializer

    @extend_schema(
        request=None,
        responses={
            200: ModelVersionDetailSerializer,
            400: OpenApiResponse(
                OpenApiTypes.OBJECT, description="`damaged_model`: a file is damaged or missing."
            ),
            409: OpenApiResponse(OpenApiTypes.OBJECT, description="`promotion_refused`, with the reason."),
        },
    )
    @action(detail=True, methods=["post"], permission_classes=[CanChangeVersion])
    def promote(self, request: Request, pk: str) -> Response:
        """Make this version the active one, regardless of the quality check."""
        return self._activated(request, promote(version=self.get_object(), now=timezone.now()))

    @extend_schema(
        request=None,
        responses={
            200: ModelVersionDetailSerializer,
            400: OpenApiResponse(OpenApiTypes.OBJECT, description="`no_model`: there is no earlier version."),
        },
    )
    @action(detail=False, methods=["post"], permission_classes=[CanChangeVersion])
    def rollback(self, request: Request) -> Response:
        """Return to the previously active version; the response is that version."""
        return self._activated(request, rollback(now=timezone.now()))

    @extend_schema(request=PinSerializer, responses=ModelVersionDetailSerializer)
    @action(detail=True, methods=["post"], permission_classes=[CanChangeVersion])
    def pin(self, request: Request, pk: str) -> Response:
        """Pin or unpin this version. Files of a pinned version are never deleted automatically."""
        return self._detail(pin(version=self.get_object(), **validated_body(PinSerializer, request)))

    def _activated(self, request: Request, version: ModelVersion) -> Response:
        """Request the suggestions of a version that has just become active, and return the version."""
        user = signed_in(request.user)
        request_run(kind=Run.Kind.RECLASSIFY, trigger=Run.Trigger.API, now=timezone.now(), user=user)
        return self._detail(version)

    def _detail(self, version: ModelVersion) -> Response:
        current = self.get_queryset().get(pk=version.pk)
        return Response(ModelVersionDetailSerializer(current, context=self.get_serializer_context()).data)


class AlertSerializer(serializers.ModelSerializer):
    message = serializers.CharField(
        source="text", read_only=True, help_text="The problem and what to do about it."
    )

    class Meta:
        model = Alert
        fields = ["id", "kind", "about", "message", "created_at", "cleared_at"]


class AlertViewSet(ReadViewSet):
    """Alerts, newest first. `cleared_at__isnull=true` returns the open ones."""

    queryset = Alert.objects.all()
    serializer_class = AlertSerializer
    permission_classes = [PersonalDataPermissions]
    filterset_fields = {"kind": ["exact"], "cleared_at": ["isnull"]}
