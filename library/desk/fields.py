"""Fields of our own pages."""

from typing import Any

from django.contrib.admin.widgets import AutocompleteSelect
from django.forms import Media
from django.forms.widgets import Script


class FoundByTyping(AutocompleteSelect):
    """A list that becomes one to type in when it is in sight: no page waits for the 60 kB of scripts."""

    @property
    def media(self) -> Media:
        made_with: Any = super().media
        # Of no kind that a browser runs: fields.js fetches them.
        scripts: list[Any] = [Script(path, type="text/field") for path in made_with._js]
        scripts.append(Script("desk/fields.js", defer=True))
        return Media(css=made_with._css, js=scripts)
