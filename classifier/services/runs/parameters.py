"""Parameters of each kind of run, and their validation."""

from collections.abc import Mapping
from hashlib import sha256
from json import dumps
from math import isfinite
from typing import Any

from django.utils.translation import gettext as _

from classifier.errors import SettingError
from classifier.models import Run

_NUMBER = (int, float)
_REQUIRED = object()
"""In place of a default."""
#: By kind and name: the accepted JSON types, and the default; null is accepted where it is the default.
#: An output file is not a parameter: anyone who may start a run could write anywhere.
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
        "include_unchanged": ((bool,), False),
        "precision": (_NUMBER, None),
    },
    Run.Kind.UNDO: {"batch": ((int,), _REQUIRED)},
    Run.Kind.RECOMMEND: {"n": ((int,), 10), "include_borrowed": ((bool,), False)},
    Run.Kind.ORDER_REVIEWS: {},
    Run.Kind.DRAW_MAP: {"seed": ((int,), 0)},
}


def complete_parameters(*, kind: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Validate the JSON parameters of a run and add the defaults of the others.

    Raises
    ------
    SettingError
        If there is no such kind or parameter, a required one is missing, or a type is wrong.
    """
    if kind not in PARAMETERS:
        raise SettingError(
            _("Unknown job type “%(kind)s”. Available types: %(known)s.")
            % {"kind": kind, "known": ", ".join(PARAMETERS)}
        )
    specification = PARAMETERS[kind]
    for name, value in parameters.items():
        if name not in specification:
            raise SettingError(
                _("A “%(kind)s” job has no parameter “%(name)s”. Available parameters: %(known)s.")
                % {"kind": kind, "name": name, "known": ", ".join(specification)}
            )
        types, default = specification[name]
        # In Python, but not in JSON, true is a number, and NaN and infinity exist.
        fits = isinstance(value, types) and (bool in types or not isinstance(value, bool))
        fits = fits and (not isinstance(value, float) or isfinite(value))
        fits = fits or (value is None and default is None)
        if not fits or (isinstance(value, list) and not all(isinstance(item, str) for item in value)):
            raise SettingError(
                _("Invalid value for parameter %(name)s of a “%(kind)s” job: %(value)s.")
                % {"name": name, "kind": kind, "value": dumps(value, ensure_ascii=False)}
            )
    complete = {name: parameters.get(name, default) for name, (_types, default) in specification.items()}
    for name, value in complete.items():
        if value is _REQUIRED:
            raise SettingError(
                _("A “%(kind)s” job needs the parameter “%(name)s”.") % {"kind": kind, "name": name}
            )
    return complete


def digest_of(*, parameters: Mapping[str, Any]) -> str:
    """Return the SHA-256 of parameters, the same in whatever order they come."""
    return sha256(dumps(parameters, sort_keys=True, allow_nan=False).encode()).hexdigest()
