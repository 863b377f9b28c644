"""Users of the admin site."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser, User


def signed_in(user: AbstractBaseUser | AnonymousUser) -> User:
    """Return the user of a request that has passed a permission check."""
    assert isinstance(user, User)
    return user
