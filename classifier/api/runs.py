"""Runs in the REST API: ask for one, see how far it is, cancel it."""

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.permissions import BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from classifier import dispatch
from classifier.api.events import LOOKS, EventStreamRenderer, events, is_over, state_of
from classifier.models import Run
from classifier.services.runs.lifecycle import request_cancel
from library.admin_site.users import signed_in
from library.rest.auth.permissions import PersonalDataPermissions
from library.rest.views import ReadViewSet


class MayCancel(BasePermission):
    """Cancelling changes the run."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.user.has_perm("classifier.change_run")


class RunSerializer(serializers.ModelSerializer):
    asked_by = serializers.CharField(source="asked_by.username", read_only=True, default=None)
    outcome = serializers.CharField(
        read_only=True, help_text="What became of it, in words: the error, or that nothing had changed."
    )

    class Meta:
        model = Run
        fields = [
            "id",
            "kind",
            "trigger",
            "status",
            "parameters",
            "forced",
            "asked_at",
            "asked_by",
            "started_at",
            "finished_at",
            "attempt",
            "cancel_requested",
            "progress",
            "phase",
            "seconds_left",
            "unchanged_since",
            "result",
            "outcome",
        ]


class AskSerializer(serializers.Serializer):
    kind = serializers.ChoiceField(choices=Run.Kind.choices)
    parameters = serializers.DictField(
        required=False, help_text="Those of the command of that name, without the names of files."
    )
    force = serializers.BooleanField(default=False, help_text="Do it even if nothing has changed.")


class AskedSerializer(RunSerializer):
    is_new = serializers.BooleanField(
        read_only=True, help_text="False if the same was asked for before and is not over: it is that run."
    )

    class Meta(RunSerializer.Meta):
        fields = ["is_new", *RunSerializer.Meta.fields]


class RunViewSet(ReadViewSet):
    """Jobs of the classifier, the newest first."""

    queryset = Run.objects.select_related("asked_by").defer("timeline", "traceback")
    serializer_class = RunSerializer
    permission_classes = [PersonalDataPermissions]
    filterset_fields = ["kind", "status", "trigger"]
    ordering_fields = ["asked_at", "started_at", "finished_at"]

    @extend_schema(
        request=AskSerializer,
        responses={
            202: OpenApiResponse(AskedSerializer, description="A worker will do it."),
            400: OpenApiResponse(OpenApiTypes.OBJECT, description="`setting_error`: no such parameter."),
        },
        examples=[
            OpenApiExample("Train", value={"kind": "train"}, request_only=True),
            OpenApiExample(
                "Classify every book anew",
                value={"kind": "reclassify", "parameters": {"include_categorised": True}, "force": True},
                request_only=True,
            ),
        ],
        parameters=[
            OpenApiParameter("Location", str, OpenApiParameter.HEADER, response=[202], description="The run.")
        ],
    )
    def create(self, request: Request) -> Response:
        """Ask for a run; the same asked for twice before it is over is one run."""
        given = AskSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        asked = dispatch.ask(
            **given.validated_data,
            trigger=Run.Trigger.API,
            now=timezone.now(),
            user=signed_in(request.user),
        )
        asked.run.is_new = asked.is_new  # type: ignore[attr-defined]  # for the serializer
        data = AskedSerializer(asked.run, context=self.get_serializer_context()).data
        address = reverse("run-detail", args=[asked.run.pk], request=request)
        return Response(data, status=status.HTTP_202_ACCEPTED, headers={"Location": address})

    @extend_schema(
        request=None,
        responses={
            202: RunSerializer,
            409: OpenApiResponse(OpenApiTypes.OBJECT, description="`run_over_error`: it is over."),
        },
    )
    @action(detail=True, methods=["post"], permission_classes=[MayCancel])
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel a queued run at once, and a running one at its next step."""
        run = request_cancel(run=self.get_object(), now=timezone.now())
        data = RunSerializer(run, context=self.get_serializer_context()).data
        return Response(data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "Last-Event-ID", str, OpenApiParameter.HEADER, description="The last that was heard."
            )
        ],
        responses={
            (200, "text/event-stream"): OpenApiResponse(
                OpenApiTypes.STR,
                description="Events named `run` with status, progress, phase and seconds_left as JSON; "
                "comments while nothing changes. It ends with the run. Before, it ends after half a minute "
                "or, where the server has no threads (`gunicorn` without `--threads`), at once: connect "
                "again after `retry`, as browsers do by themselves.",
            ),
            204: OpenApiResponse(description="The run is over, and you have heard so: browsers stop."),
            404: OpenApiResponse(OpenApiTypes.OBJECT, description="There is no such run."),
        },
        examples=[
            OpenApiExample(
                "Half-way",
                value="retry: 2000\n\nid: 0f3c5d1a9b7e2468\nevent: run\ndata: "
                '{"status": "running", "progress": 0.5, "phase": "learning", "seconds_left": 12.0}\n\n',
                media_type="text/event-stream",
                status_codes=["200"],
            )
        ],
    )
    @action(detail=True, methods=["get"], renderer_classes=[EventStreamRenderer, JSONRenderer])
    def events(self, request: Request, pk: str) -> HttpResponseBase:
        """Watch a run as server-sent events."""
        run = self.get_object()
        heard = request.headers.get("Last-Event-ID", "")
        state, name = state_of(run_id=run.pk)
        if is_over(state) and name == heard:
            return HttpResponse(status=status.HTTP_204_NO_CONTENT)
        looks = LOOKS if request.META.get("wsgi.multithread") else 1
        return StreamingHttpResponse(
            events(run_id=run.pk, heard=heard, looks=looks),
            content_type="text/event-stream",
            # A proxy that gathers what it passes on would tell all at the end.
            headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
        )
