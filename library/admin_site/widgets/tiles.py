"""What the home page shows: one tile a matter, with where to go on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from django.utils.functional import Promise
from django.utils.translation import gettext as _

Words = str | Promise


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One matter of the home page.

    Attributes
    ----------
    title : str
    icon : str
        Of the theme's symbols.
    value : str
        The figure that counts.
    url : str
        Where the matter is looked after.
    lines : sequence of str
        What the figure is made of.
    tone : str
        ``alarm``: something is wrong; ``todo``: somebody has to do something; else ``calm``.
    more : sequence of (str, str)
        Words and addresses of further pages.
    """

    title: Words
    icon: str
    value: str
    url: str
    lines: Sequence[Words] = field(default_factory=list)
    tone: Literal["alarm", "todo", "calm"] = "calm"
    more: Sequence[tuple[Words, str]] = field(default_factory=list)


def labelled(words: object, value: object) -> str:
    """Return a value with its name before it, and between them the colon of the language."""
    return _("%(name)s: %(value)s") % {"name": words, "value": value}
