"""Versions of the model and alarms in the REST API."""

from django.db.models import F
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from classifier.dispatch import ask
from classifier.models import Alarm, ModelVersion, Run
from classifier.services.registry.promotion import pin, promote, rollback
from library.admin_site.users import signed_in
from library.rest.auth.permissions import PersonalDataPermissions
from library.rest.views import ReadViewSet


class MayDecide(BasePermission):
    """Which version classifies is a change of the version."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.user.has_perm("classifier.change_modelversion")


class ModelVersionSerializer(serializers.ModelSerializer):
    # REST framework's own stubs keep the name for the serializer around a field.
    parent = serializers.CharField(  # type: ignore[assignment]
        source="parent.name", default=None, read_only=True, help_text="What it was compared with."
    )
    previous = serializers.CharField(
        source="previous.name",
        default=None,
        read_only=True,
        help_text="What it replaced: rolling back goes there.",
    )
    passed = serializers.BooleanField(
        source="verdict.passed", default=None, read_only=True, help_text="Whether the gate lets it pass."
    )
    reasons = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="What the gate says, in words."
    )
    accuracy = serializers.FloatField(read_only=True, allow_null=True, help_text="On its held-out books.")
    macro_f1 = serializers.FloatField(read_only=True, allow_null=True, help_text="On its held-out books.")

    class Meta:
        model = ModelVersion
        fields = [
            "id", "name", "state", "created_at", "activated_at", "pinned", "pruned_at", "parent", "previous",
            "trained_by", "fingerprint", "seed", "accuracy", "macro_f1", "passed", "reasons",
        ]  # fmt: skip


class OneModelVersionSerializer(ModelVersionSerializer):
    class Meta(ModelVersionSerializer.Meta):
        fields = [*ModelVersionSerializer.Meta.fields, "metrics", "comparison", "profile", "config"]


class PinSerializer(serializers.Serializer):
    pinned = serializers.BooleanField()


class ModelVersionViewSet(ReadViewSet):
    """Versions of the model, the newest first; the active one classifies."""

    queryset = ModelVersion.objects.select_related("parent", "previous").annotate(
        **{name: F(f"metrics__fused__{name}") for name in ("accuracy", "macro_f1")}
    )
    permission_classes = [PersonalDataPermissions]
    filterset_fields = ["state", "pinned"]
    search_fields = ["name"]
    ordering_fields = ["created_at", "activated_at"]

    def get_serializer_class(self) -> type[ModelVersionSerializer]:
        return ModelVersionSerializer if self.action == "list" else OneModelVersionSerializer

    @extend_schema(
        request=None,
        responses={
            200: OneModelVersionSerializer,
            400: OpenApiResponse(
                OpenApiTypes.OBJECT, description="`damaged_model_error`: the file at fault."
            ),
            409: OpenApiResponse(OpenApiTypes.OBJECT, description="`promotion_refused_error`: and why."),
        },
    )
    @action(detail=True, methods=["post"], permission_classes=[MayDecide])
    def promote(self, request: Request, pk: str) -> Response:
        """Make this version the one that classifies, whatever the gate says."""
        return self._serving(request, promote(version=self.get_object(), now=timezone.now()))

    @extend_schema(
        request=None,
        responses={
            200: OneModelVersionSerializer,
            400: OpenApiResponse(OpenApiTypes.OBJECT, description="`no_model_error`: nothing to go back to."),
        },
    )
    @action(detail=False, methods=["post"], permission_classes=[MayDecide])
    def rollback(self, request: Request) -> Response:
        """Go back to the version that the active one replaced; the answer is that version."""
        return self._serving(request, rollback(now=timezone.now()))

    @extend_schema(request=PinSerializer, responses=OneModelVersionSerializer)
    @action(detail=True, methods=["post"], permission_classes=[MayDecide])
    def pin(self, request: Request, pk: str) -> Response:
        """Keep this version's files for ever, or leave them to the rule again."""
        given = PinSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        return self._shown(pin(version=self.get_object(), **given.validated_data))

    def _serving(self, request: Request, version: ModelVersion) -> Response:
        """Show what classifies since just now, and ask for its suggestions."""
        user = signed_in(request.user)
        ask(kind=Run.Kind.RECLASSIFY, trigger=Run.Trigger.API, now=timezone.now(), user=user)
        return self._shown(version)

    def _shown(self, version: ModelVersion) -> Response:
        found = self.get_queryset().get(pk=version.pk)
        return Response(OneModelVersionSerializer(found, context=self.get_serializer_context()).data)


class AlarmSerializer(serializers.ModelSerializer):
    words = serializers.CharField(read_only=True, help_text="What is wrong and what to do.")

    class Meta:
        model = Alarm
        fields = ["id", "kind", "about", "words", "since", "cleared_at"]


class AlarmViewSet(ReadViewSet):
    """What somebody should look at, the newest first; `cleared_at__isnull=true` leaves out what is mended."""

    queryset = Alarm.objects.all()
    serializer_class = AlarmSerializer
    permission_classes = [PersonalDataPermissions]
    filterset_fields = {"kind": ["exact"], "cleared_at": ["isnull"]}
