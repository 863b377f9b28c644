"""A client's tokens: made for a name and a password, listed, revoked."""

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

from library.rest.auth.tokens import MOST_DAYS, issue_token
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
    token = serializers.CharField(read_only=True, help_text="Shown this once: it is kept nowhere.")

    class Meta(TokenSerializer.Meta):
        fields = ["token", *TokenSerializer.Meta.fields]


class PasswordSerializer(AuthTokenSerializer):
    token = None  # type: ignore[assignment]
    name = serializers.CharField(max_length=100, default="API", help_text="What it is for.")
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=Scope.choices),
        allow_empty=False,
        default=list(Scope.values),
        help_text="What it may be used for, as far as its user may; left out, all.",
    )
    days = serializers.IntegerField(
        min_value=1, max_value=MOST_DAYS, required=False, help_text="How long it is good for."
    )


class TokenView(APIView):
    authentication_classes = ()
    permission_classes = [AllowAny]
    parser_classes = [StrictJSONParser, FormParser, MultiPartParser]

    @extend_schema(request=PasswordSerializer, responses=NewTokenSerializer, operation_id="token_create")
    def post(self, request: Request) -> Response:
        """Exchange a name and a password for a token.

        Failures count together with those of the admin's login page; after too many even the right password
        waits, and the answer is 429.
        """
        given = self._checked(request)
        row, token = issue_token(
            user=given["user"],
            name=given["name"],
            scopes=given["scopes"],
            days=given.get("days", settings.API_TOKEN_DAYS),
            now=timezone.now(),
        )
        row.token = token  # type: ignore[attr-defined]  # for the serializer
        return Response(NewTokenSerializer(row).data, headers={"Cache-Control": "no-store"})

    def _checked(self, request: Request) -> dict[str, Any]:
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
        """Your tokens, the newest first; without the tokens themselves, which nobody can look up."""
        return self.list(request)


class TokenRevokeView(mixins.DestroyModelMixin, _OwnTokens):
    def delete(self, request: Request, pk: int) -> Response:
        """Revoke a token of yours: from the next request on it opens nothing."""
        return self.destroy(request)
