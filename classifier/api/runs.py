"""Runs in the REST API: start one, watch its progress, cancel it."""

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from classifier import dispatch
from classifier.api.events import MAX_POLLS, EventStreamRenderer, is_finished, run_events, run_state
from classifier.api.permissions import CanCancelRun
from classifier.models import Run
from classifier.services.runs.lifecycle import request_cancel
from classifier.services.runs.phases import phase_position
from library.admin_site.users import signed_in
from library.rest.auth.permissions import PersonalDataPermissions
from library.rest.serializers import validated_body
from library.rest.views import ReadViewSet


class RunSerializer(serializers.ModelSerializer):
    requested_by = serializers.CharField(source="requested_by.username", read_only=True, default=None)
    phase_number = serializers.SerializerMethodField(help_text="Position of the phase, from 1.")
    phase_count = serializers.SerializerMethodField(help_text="Number of phases of this kind of run.")
    outcome = serializers.CharField(
        read_only=True, help_text="Outcome as text, such as the error, or that nothing has changed."
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
            "requested_at",
            "requested_by",
            "started_at",
            "finished_at",
            "attempt",
            "cancel_requested",
            "progress",
            "phase",
            "phase_number",
            "phase_count",
            "unchanged_since",
            "result",
            "outcome",
        ]

    def get_phase_number(self, run: Run) -> int | None:
        return phase_position(kind=run.kind, phase=run.phase)[0]

    def get_phase_count(self, run: Run) -> int:
        return phase_position(kind=run.kind, phase=run.phase)[1]


class RunRequestSerializer(serializers.Serializer):
    kind = serializers.ChoiceField(choices=Run.Kind.choices)
    parameters = serializers.DictField(
        required=False,
        help_text="Options of the management command of the same name, except those that name files.",
    )
    force = serializers.BooleanField(default=False, help_text="Run even if nothing has changed.")


class RequestedRunSerializer(RunSerializer):
    is_new = serializers.BooleanField(
        read_only=True,
        help_text="False if an identical run was already queued or running; the response is that run.",
    )

    class Meta(RunSerializer.Meta):
        fields = ["is_new", *RunSerializer.Meta.fields]


class RunViewSet(ReadViewSet):
    """Runs (jobs) of the classifier, newest first."""

    queryset = Run.objects.select_related("requested_by").defer("traceback")
    serializer_class = RunSerializer
    permission_classes = [PersonalDataPermissions]
    filterset_fields = ["kind", "status", "trigger"]
    ordering_fields = ["requested_at", "started_at", "finished_at"]

    @extend_schema(
        request=RunRequestSerializer,
        responses={
            202: OpenApiResponse(RequestedRunSerializer, description="The run is queued or running."),
            400: OpenApiResponse(
                OpenApiTypes.OBJECT, description="`setting_error`: a parameter does not exist or is invalid."
            ),
        },
        examples=[
            OpenApiExample("Train", value={"kind": "train"}, request_only=True),
            OpenApiExample(
                "Reclassify all books",
                value={"kind": "reclassify", "parameters": {"include_categorised": True}, "force": True},
                request_only=True,
            ),
        ],
        parameters=[
            OpenApiParameter(
                "Location", str, OpenApiParameter.HEADER, response=[202], description="URL of the run."
            )
        ],
    )
    def create(self, request: Request) -> Response:
        """Start a run. Identical requests before it has finished return the same run."""
        requested = dispatch.request_run(
            **validated_body(RunRequestSerializer, request),
            trigger=Run.Trigger.API,
            now=timezone.now(),
            user=signed_in(request.user),
        )
        requested.run.is_new = requested.is_new  # type: ignore[attr-defined]  # for the serializer
        data = RequestedRunSerializer(requested.run, context=self.get_serializer_context()).data
        url = reverse("run-detail", args=[requested.run.pk], request=request)
        return Response(data, status=status.HTTP_202_ACCEPTED, headers={"Location": url})

    @extend_schema(
        request=None,
        responses={
            202: RunSerializer,
            409: OpenApiResponse(
                OpenApiTypes.OBJECT, description="`run_over`: the run has already finished."
            ),
        },
    )
    @action(detail=True, methods=["post"], permission_classes=[CanCancelRun])
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel a run. A queued run is cancelled at once, a running one at its next step."""
        run = request_cancel(run=self.get_object(), now=timezone.now())
        data = RunSerializer(run, context=self.get_serializer_context()).data
        return Response(data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "Last-Event-ID",
                str,
                OpenApiParameter.HEADER,
                description="ID of the last event received.",
            )
        ],
        responses={
            (200, "text/event-stream"): OpenApiResponse(
                OpenApiTypes.STR,
                description="Events named `run` with status, progress, phase, phase_number and phase_count "
                "as JSON; comments while nothing changes. The stream ends with the run. Until then each "
                "response lasts half a minute; on a server without threads (`gunicorn` without `--threads`) "
                "it ends at once. Reconnect after `retry`, as browsers do by themselves.",
            ),
            204: OpenApiResponse(
                description="The run has finished and the final event was received; browsers stop."
            ),
            404: OpenApiResponse(OpenApiTypes.OBJECT, description="Run not found."),
        },
        examples=[
            OpenApiExample(
                "Halfway",
                value="retry: 2000\n\nid: 0f3c5d1a9b7e2468\nevent: run\ndata: "
                '{"status": "running", "progress": 0.5, "phase": "training", "phase_number": 4, '
                '"phase_count": 8}\n\n',
                media_type="text/event-stream",
                status_codes=["200"],
            )
        ],
    )
    @action(detail=True, methods=["get"], renderer_classes=[EventStreamRenderer, JSONRenderer])
    def events(self, request: Request, pk: str) -> HttpResponseBase:
        """Stream the progress of a run as server-sent events."""
        run = self.get_object()
        last_event_id = request.headers.get("Last-Event-ID", "")
        state, event_id = run_state(run_id=run.pk)
        if is_finished(state) and event_id == last_event_id:
            return HttpResponse(status=status.HTTP_204_NO_CONTENT)
        max_polls = MAX_POLLS if request.META.get("wsgi.multithread") else 1
        return StreamingHttpResponse(
            run_events(run_id=run.pk, last_event_id=last_event_id, max_polls=max_polls),
            content_type="text/event-stream",
            # A buffering proxy would deliver all events at the end.
            headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
        )
