"""People who sign in, for tests of the admin and the API."""

from django.contrib.auth.models import User
from django.test import Client
from rest_framework.test import APIClient

from library.admin_site.roles import CLIENTS, LIBRARIANS, ensure_roles


def make_user(role: str) -> User:
    """Return a new user in the group of a role that ``create_roles`` makes; all but clients are staff."""
    user = User.objects.create_user(role.rstrip("s").replace(" ", "-"), is_staff=role != CLIENTS)
    user.groups.add(ensure_roles()[role])
    return user


def make_librarian() -> User:
    """Return a member of staff in the librarians' group."""
    return make_user(LIBRARIANS)


def make_reader() -> User:
    """Return someone with an account and no permission at all."""
    return User.objects.create_user("reader")


def api(user: User | None = None) -> APIClient:
    """Return a client of the API, signed in as `user` if given."""
    client = APIClient()
    if user:
        client.force_authenticate(user)
    return client


def desk(user: User, **options: object) -> Client:
    """Return a browser at the admin, signed in as `user`."""
    client = Client(**options)
    client.force_login(user)
    return client
