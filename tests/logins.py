"""Users and clients for tests of the admin and the API."""

from django.contrib.auth.models import User
from django.test import Client
from rest_framework.test import APIClient

from library.admin_site.roles import CLIENTS, LIBRARIANS, ensure_roles


def make_user(role: str) -> User:
    """Return a new user in the group of a role of ``create_roles``; all roles but clients are staff."""
    user = User.objects.create_user(role.rstrip("s").replace(" ", "-"), is_staff=role != CLIENTS)
    user.groups.add(ensure_roles()[role])
    return user


def make_librarian() -> User:
    """Return a staff user in the librarians' group."""
    return make_user(LIBRARIANS)


def make_user_without_permissions() -> User:
    """Return a user without any permission."""
    return User.objects.create_user("reader")


def api(user: User | None = None) -> APIClient:
    """Return an API client, signed in as `user` if given."""
    client = APIClient()
    if user:
        client.force_authenticate(user)
    return client


def desk(user: User, **options: object) -> Client:
    """Return a client of the admin, signed in as `user`."""
    client = Client(**options)
    client.force_login(user)
    return client
