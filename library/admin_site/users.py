"""Who is at the desk."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser, User


def signed_in(user: AbstractBaseUser | AnonymousUser) -> User:
    """Return the user of a request that only somebody with a permission can make.

    Parameters
    ----------
    user : user
        Of the request; anybody else was turned away before.
    """
    assert isinstance(user, User)
    return user
