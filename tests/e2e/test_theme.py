"""The theme's letters as we serve them: every symbol that a page may show is among them."""

import base64

from library.admin_site.symbols import ALL, SHOWN, words

# A name that the letters know is drawn as one symbol, as wide as it is high.
WIDTHS = """async ([words, letters]) => {
    await new FontFace("symbols", Uint8Array.from(atob(letters), (one) => one.charCodeAt(0))).load()
        .then((font) => document.fonts.add(font));
    const context = document.createElement("canvas").getContext("2d");
    context.font = "100px symbols";
    return words.map((word) => context.measureText(word).width);
}"""


def known(page, *, among, letters):
    page.goto("about:blank")
    widths = page.evaluate(WIDTHS, [among, base64.b64encode(letters.read_bytes()).decode()])
    return {word for word, width in zip(among, widths, strict=True) if round(width) == 100}


def test_the_symbols_that_pages_may_show_are_left_of_the_themes(page):
    among = sorted(words())

    shown = known(page, among=among, letters=ALL)

    assert {"local_library", "expand_more", "visibility_off", "close_small", "wrong_location"} <= shown
    # Make them anew: library/admin_site/symbols.py.
    assert known(page, among=among, letters=SHOWN) == shown
    assert known(page, among=["skateboarding"], letters=ALL) == {"skateboarding"}
    assert known(page, among=["skateboarding"], letters=SHOWN) == set()
    assert SHOWN.stat().st_size < 20_000
    assert page.wrong == []
