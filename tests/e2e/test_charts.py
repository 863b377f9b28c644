"""Charts in a real browser under the strict policy: drawing, keyboard use, tables without scripts."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from django.template.loader import render_to_string
from django.utils import translation
from playwright.sync_api import expect

from library.admin_site.widgets.charts import (
    CHART_MEDIA,
    Series,
    bar_chart,
    heatmap,
    line_chart,
    scatter,
)
from tests.library.admin_site.test_pages import STRICT

STATIC = Path(__file__).parents[2] / "library" / "admin_site" / "static"
MONTHS = [f"2025-{month:02}" for month in range(1, 13)] + [f"2026-{month:02}" for month in range(1, 13)]
HEIGHTS = [1200 + 10 * month for month in range(24)]


def charts():
    return [
        line_chart(
            name="loans",
            title="Loans by month",
            definition="Checkouts by branch.",
            labels=MONTHS,
            label_name="Month",
            unit="loans",
            csv="loans.csv",
            series=[
                Series("Main", HEIGHTS),
                Series(
                    "Expected",
                    [None] * 23 + [1500],
                    low=[None] * 23 + [1400],
                    high=[None] * 23 + [1600],
                    dashed=True,
                ),
            ],
        ),
        bar_chart(
            name="use",
            title="Use",
            definition="Loans a copy.",
            labels=["History", "Physics"],
            series=[Series("2025", [1.25, 0.5]), Series("2026", [1.0, None])],
            decimals=2,
            horizontal=True,
        ),
        heatmap(
            name="season",
            title="Season",
            definition="Loans by month and weekday.",
            labels=["January", "February"],
            series=[Series("Monday", [5, 0]), Series("Sunday", [None, 40])],
        ),
        scatter(
            name="age",
            title="Age and use",
            definition="Each point is a category.",
            labels=["History", "Physics"],
            x=Series("Age", [10, 3]),
            y=Series("Loans", [4, 9]),
        ),
    ]


def page_of(charts, language="en"):
    with translation.override(language):
        figures = "".join(render_to_string("admin_site/chart.html", {"chart": chart}) for chart in charts)
        return (
            f'<!doctype html><html lang="{language}"><meta charset="utf-8"><title>Charts</title>'
            f'<link rel="icon" href="/static/admin_site/favicon.svg">'
            f"{CHART_MEDIA}<body>{figures}</body></html>"
        )


class Handler(SimpleHTTPRequestHandler):
    """Serve the page at / and the static files, with the content security policy of the site."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *args, page, **kwargs):
        self.page = page
        super().__init__(*args, directory=str(STATIC), **kwargs)

    def end_headers(self):
        self.send_header("Content-Security-Policy", STRICT)
        super().end_headers()

    def do_GET(self):
        if self.path != "/":
            self.path = self.path.removeprefix("/static")
            return super().do_GET()
        body = self.page.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def url(request):
    page = page_of(charts(), getattr(request, "param", "en"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, page=page))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def scrolled(page):
    """Scroll to each chart, because charts are drawn lazily."""
    for place in page.locator(".chart-drawing").all():
        place.scroll_into_view_if_needed()
        expect(place.locator("canvas").first).to_be_visible()


def shown(page):
    """Return the state of the first chart in the chart library."""
    expect(page.locator(".chart-drawing canvas").first).to_be_visible()
    return page.evaluate(
        """() => {
            const option = echarts.getInstanceByDom(document.querySelector('.chart-drawing')).getOption();
            const [zoom] = option.dataZoom;
            return {selected: option.legend[0].selected, zoom: [zoom.start, zoom.end],
                    text: option.textStyle.color, colour: option.color[0]};
        }"""
    )


def test_chart_library_has_the_parts_in_use(url, page):
    """The library is a custom build (vendor/echarts/parts.mjs) that silently ignores missing parts."""
    page.goto(url)
    scrolled(page)
    changed = page.evaluate(
        """() => {
            const places = [...document.querySelectorAll('.chart-drawing')];
            const views = places.map((place) => echarts.getInstanceByDom(place));
            const changes = (view, option) => {
                const before = view.getDataURL();
                view.setOption(option);
                return view.getDataURL() !== before;
            };
            const [lines, bars, fields] = views;
            return {
                markLine: changes(lines, {series: [{markLine: {data: [{yAxis: 1300}]}}]}),
                dataZoom: changes(lines, {dataZoom: [{start: 50}]}),
                decal: changes(bars, {aria: {decal: {show: false}}}),
                legend: changes(bars, {legend: {selected: {2025: false}}}),
                containLabel: changes(bars, {grid: {containLabel: false}}),
                visualMap: changes(fields, {visualMap: {inRange: {color: ['#000000', '#ff0000']}}}),
                tooltip: views.every((view) => view.getModel().getComponent('tooltip')),
            };
        }"""
    )
    assert [part for part, is_there in changed.items() if not is_there] == []
    assert page.errors == []


def test_all_charts_draw_under_the_strict_policy(url, page):
    page.goto(url)
    scrolled(page)
    # Each canvas has more than its background.
    painted = page.evaluate(
        """() => [...document.querySelectorAll('.chart-drawing')].map((place) => {
            const canvas = echarts.getInstanceByDom(place).getRenderedCanvas();
            const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
            return new Set(new Uint32Array(data.buffer)).size;
        })"""
    )
    assert min(painted) > 5
    expect(page.get_by_role("img").first).to_have_attribute(
        "aria-label", "Loans by month. Checkouts by branch."
    )
    assert page.errors == []
    assert page.hosts == {url.split("/")[2]}


def test_series_and_zoom_by_keyboard(url, page):
    page.goto(url)
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Main")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Main")).to_have_attribute("aria-pressed", "false")
    assert shown(page)["selected"]["Main"] is False
    page.keyboard.press("Enter")
    assert shown(page)["selected"]["Main"] is True
    page.get_by_role("button", name="Zoom in").focus()
    page.keyboard.press("Enter")
    assert shown(page)["zoom"] == [25, 75]
    page.get_by_role("button", name="Later").press("Enter")
    assert shown(page)["zoom"] == [50, 100]
    page.get_by_role("button", name="Zoom out").press("Enter")
    assert shown(page)["zoom"] == [25, 100]


def test_charts_draw_lazily_without_layout_shift(url, page):
    page.set_viewport_size({"width": 800, "height": 500})
    page.goto(url)
    last = page.locator(".chart-drawing").last
    expect(page.locator(".chart-drawing canvas").first).to_be_visible()
    assert last.locator("canvas").count() == 0
    places = "() => [...document.querySelectorAll('figure')].map((figure) => figure.offsetTop)"
    before = page.evaluate(places)
    # A series hidden before the chart is drawn stays hidden.
    button = page.locator("figure", has=page.locator(".chart-keys button")).last.get_by_role("button").first
    button.dispatch_event("click")
    scrolled(page)
    assert page.evaluate(places) == before
    expect(button).to_have_attribute("aria-pressed", "false")
    selected = """(button) => {
        const place = button.closest('figure').querySelector('.chart-drawing');
        return echarts.getInstanceByDom(place).getOption().legend[0].selected[button.textContent];
    }"""
    assert button.evaluate(selected) is False


def test_charts_follow_the_theme_and_print_on_white(url, page):
    page.goto(url)
    light = shown(page)
    page.evaluate("document.documentElement.classList.add('dark')")
    page.wait_for_function("""() => echarts.getInstanceByDom(document.querySelector('.chart-drawing'))
        .getOption().textStyle.color === '#e5e7eb'""")
    assert shown(page)["colour"] != light["colour"]
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    expect(page.locator(".chart-drawing:has(canvas)")).to_have_count(4)
    assert shown(page)["text"] == light["text"]
    expect(page.get_by_role("table")).to_have_count(4)
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert shown(page)["text"] == "#e5e7eb"
    expect(page.get_by_role("table")).to_have_count(0)


@pytest.mark.parametrize("url", ["zh-hans"], indirect=True)
def test_charts_in_chinese(url, page):
    page.goto(url)
    expect(page.get_by_text("显示表格")).to_have_count(4)
    expect(page.get_by_role("button", name="放大")).to_be_visible()
    assert page.errors == []


def test_table_works_without_scripts(url, page):
    plain = page.context.browser.new_page(java_script_enabled=False)
    plain.goto(url)
    expect(plain.locator(".chart-drawing").first).to_be_hidden()
    plain.get_by_text("Show table").first.click()
    table = plain.get_by_role("table", name="")
    expect(table.get_by_role("row").nth(24)).to_contain_text("1,500 (1,400–1,600)")
    expect(plain.get_by_role("link", name="Download CSV")).to_have_attribute("href", "loans.csv")
