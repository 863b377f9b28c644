"""Tiles of the admin's home page."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from django.utils.functional import Promise
from django.utils.translation import gettext as _

Text = str | Promise


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One topic of the home page, with its key number.

    Attributes
    ----------
    icon
        Name of a Material symbol.
    value
        The key number.
    url
        Page to work on the topic.
    lines
        Details of the number.
    tone
        ``alert``: something is wrong; ``todo``: work is waiting; ``calm``: neither.
    more
        Labels and URLs of further pages.
    """

    title: Text
    icon: str
    value: str
    url: str
    lines: Sequence[Text] = field(default_factory=list)
    tone: Literal["alert", "todo", "calm"] = "calm"
    more: Sequence[tuple[Text, str]] = field(default_factory=list)


def labelled(label: object, value: object) -> str:
    """Return a label and a value, separated by the colon of the current language."""
    return _("%(name)s: %(value)s") % {"name": label, "value": value}
