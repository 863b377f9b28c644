"""What each kind of run may be asked for with."""

from collections.abc import Mapping
from hashlib import sha256
from json import dumps
from math import isfinite
from typing import Any

from django.utils.translation import gettext as _

from classifier.errors import SettingError
from classifier.models import Run

_NUMBER = (int, float)
_NEEDED = object()
"""In the place of a default: there is none."""
#: By kind and name: the types of JSON that are taken, and the default; null is taken where it is the default.
#: Where files are written is no parameter: anyone who may start a run could write anywhere.
PARAMETERS: dict[str, dict[str, tuple[tuple[type, ...], Any]]] = {
    Run.Kind.TRAIN: {"seed": ((int,), 0), "settings": ((list,), [])},
    Run.Kind.TUNE: {
        "trials": ((int,), 30),
        "timeout": (_NUMBER, None),
        "seed": ((int,), 0),
        "settings": ((list,), []),
        "fresh": ((bool,), False),
    },
    Run.Kind.RECLASSIFY: {
        "include_categorised": ((bool,), False),
        "afresh": ((bool,), False),
        "precision": (_NUMBER, None),
    },
    Run.Kind.UNDO: {"batch": ((int,), _NEEDED)},
    Run.Kind.RECOMMEND: {"n": ((int,), 10), "include_borrowed": ((bool,), False)},
    Run.Kind.ORDER_REVIEWS: {},
    Run.Kind.DRAW_MAP: {"seed": ((int,), 0)},
}


def checked_parameters(*, kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all parameters of a kind of run: those given, and the defaults of the others.

    Parameters
    ----------
    kind : str
        One of `Run.Kind`.
    given : mapping of str to JSON values

    Raises
    ------
    SettingError
        If there is no such kind or parameter, one that is needed is missing, or a value is of another type.
    """
    if kind not in PARAMETERS:
        known = ", ".join(PARAMETERS)
        raise SettingError(
            _("There is no run “%(kind)s”; there is %(known)s.") % {"kind": kind, "known": known}
        )
    known_here = PARAMETERS[kind]
    for name, value in given.items():
        if name not in known_here:
            raise SettingError(
                _("A run “%(kind)s” has no parameter “%(name)s”; it has %(known)s.")
                % {"kind": kind, "name": name, "known": ", ".join(known_here)}
            )
        types, default = known_here[name]
        # A JSON true is no number, though Python takes it for one.
        fits = isinstance(value, types) and (bool in types or not isinstance(value, bool))
        # NaN and infinity are no JSON.
        fits = fits and (not isinstance(value, float) or isfinite(value))
        fits = fits or (value is None and default is None)
        if not fits or (isinstance(value, list) and not all(isinstance(word, str) for word in value)):
            raise SettingError(
                _("The parameter %(name)s of a run “%(kind)s” cannot be %(value)s.")
                % {"name": name, "kind": kind, "value": dumps(value, ensure_ascii=False)}
            )
    whole = {name: given.get(name, default) for name, (_types, default) in known_here.items()}
    for name, value in whole.items():
        if value is _NEEDED:
            raise SettingError(
                _("A run “%(kind)s” needs the parameter “%(name)s”.") % {"kind": kind, "name": name}
            )
    return whole


def digest_of(*, parameters: Mapping[str, Any]) -> str:
    """Return the same for the same parameters, in whatever order they stand."""
    return sha256(dumps(parameters, sort_keys=True, allow_nan=False).encode()).hexdigest()
