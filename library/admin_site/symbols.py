"""The letters in which the theme writes its symbols, with those alone that pages show: a twentieth of all.

    pip install "fonttools[woff]" && python -m library.admin_site.symbols

makes them anew, which is due when another symbol is shown, or the theme has been updated: a test tells
(tests/e2e/test_theme.py). A phone on a slow line has to wait for them.
"""

import re
from importlib.metadata import version
from pathlib import Path

import unfold

ROOT = Path(__file__).parents[2]
_THEME = Path(unfold.__file__).parent
_LETTERS = "unfold/fonts/material-symbols/Material-Symbols-Outlined.woff2"
ALL = _THEME / "static" / _LETTERS
SHOWN = ROOT / "library" / "admin_site" / "theme" / _LETTERS

_NAME = "[a-z0-9_]+"
#: Where names stand: in an element, in what is handed to a template, and in a style.
_PLACES = re.compile(
    rf"""material-symbols-outlined(.*?)</|\bicon=["']({_NAME})|content:"({_NAME})\"""", re.DOTALL
)


def words() -> set[str]:
    """Return the names of all symbols that pages may show, among other words that name none."""
    found = set(re.findall(f'"({_NAME})"', (ROOT / "library" / "settings" / "unfold.py").read_text("utf-8")))
    for folder in (_THEME, ROOT / "templates", ROOT / "library", ROOT / "classifier"):
        for path in folder.rglob("*.*"):
            if path.suffix in {".html", ".py", ".css"}:
                for place in _PLACES.findall(path.read_text("utf-8")):
                    found.update(re.findall(_NAME, " ".join(place)))
    return found


def main() -> None:
    """Write the letters, and beside them what they were made of."""
    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTFont

    font = TTFont(ALL)
    letter = {glyph: chr(code) for code, glyph in font.getBestCmap().items()}
    symbols = {}
    for lookup in font["GSUB"].table.LookupList.Lookup:
        for table in lookup.SubTable:
            for first, ligatures in getattr(table, "ligatures", {}).items():
                for each in ligatures:
                    symbols["".join(letter[glyph] for glyph in (first, *each.Component))] = each.LigGlyph
    names = words() & symbols.keys()
    # Without the closure: each symbol is made of letters, so that letters would bring all symbols.
    subsetter = Subsetter(Options(layout_features=["*"], layout_closure=False, drop_tables=["FFTM"]))
    subsetter.populate(glyphs=[symbols[name] for name in names], text="_0123456789abcdefghijklmnopqrstuvwxyz")
    subsetter.subset(font)
    font.flavor = "woff2"
    font.save(SHOWN)
    whose = f"Material Symbols of django-unfold {version('django-unfold')}"
    (SHOWN.parent / "VERSION").write_text(f"{whose}: {len(names)} of {len(symbols)}.\n", "utf-8")


if __name__ == "__main__":
    main()
