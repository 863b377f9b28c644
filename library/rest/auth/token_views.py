"""Endpoints to issue, list and revoke API tokens."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import generics, mixins, serializers
from rest_framework.authtoken.serializers import AuthTokenSerializer
from rest_framework.exceptions import Throttled, ValidationError
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from library.rest.auth.tokens import MAX_DAYS, issue_token
from library.rest.models import ApiToken
from library.rest.parsers import StrictJSONParser
from library.rest.scopes import Scope
from library.rest.views import ListMixin


class TokenSerializer(serializers.ModelSerializer):
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=Scope.choices), read_only=True)

    class Meta:
        model = ApiToken
        fields = ["id", "name", "prefix", "scopes", "created_at", "expires_at", "last_used_at"]


class NewTokenSerializer(TokenSerializer):
    token = serializers.CharField(read_only=True, help_text="Shown only once; it is not stored.")

    class Meta(TokenSerializer.Meta):
        fields = ["token", *TokenSerializer.Meta.fields]


class PasswordSerializer(AuthTokenSerializer):
    token = None  # type: ignore[assignment]
    name = serializers.CharField(max_length=100, default="API", help_text="The purpose of the token.")
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=Scope.choices),
        allow_empty=False,
        default=list(Scope.values),
        help_text="The scopes of the token, within its user’s permissions; default: all.",
    )
    days = serializers.IntegerField(
        min_value=1, max_value=MAX_DAYS, required=False, help_text="Days until it expires."
    )


class TokenView(APIView):
    authentication_classes = ()
    permission_classes = [AllowAny]
    parser_classes = [StrictJSONParser, FormParser, MultiPartParser]

    @extend_schema(request=PasswordSerializer, responses=NewTokenSerializer, operation_id="token_create")
    def post(self, request: Request) -> Response:
        """Exchange a user name and a password for a token.

        Failed attempts count together with those of the admin's login page. After too many, sign-in is locked
        and the response is 429 even with the right password.
        """
        data = self._validated(request)
        token, secret = issue_token(
            user=data["user"],
            name=data["name"],
            scopes=data["scopes"],
            days=data.get("days", settings.API_TOKEN_DAYS),
            now=timezone.now(),
        )
        token.token = secret  # type: ignore[attr-defined]  # for the serializer
        return Response(NewTokenSerializer(token).data, headers={"Cache-Control": "no-store"})

    def _validated(self, request: Request) -> dict[str, Any]:
        serializer = PasswordSerializer(data=request.data, context={"request": request})
        try:
            serializer.is_valid(raise_exception=True)
        except ValidationError as error:
            if getattr(request, "axes_locked_out", False):
                raise Throttled(wait=settings.AXES_COOLOFF_TIME.total_seconds()) from error
            raise
        return serializer.validated_data


class _OwnTokens(generics.GenericAPIView):
    queryset = ApiToken.objects.all()
    serializer_class = TokenSerializer
    permission_classes = [IsAuthenticated]

    def get_queryset(self) -> QuerySet[ApiToken]:
        assert isinstance(self.request.user, User)
        return ApiToken.objects.filter(user=self.request.user)


class TokenListView(ListMixin, _OwnTokens):
    filter_backends: list[type] = []

    def get(self, request: Request) -> HttpResponseBase:
        """List your tokens, newest first. The secrets are not stored, so they are not included."""
        return self.list(request)


class TokenRevokeView(mixins.DestroyModelMixin, _OwnTokens):
    def delete(self, request: Request, pk: int) -> Response:
        """Revoke one of your tokens, effective immediately."""
        return self.destroy(request)
