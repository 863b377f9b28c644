"use strict";
/* Draw each <figure data-chart="id"> from the JSON script element with that id (created by
   library/admin_site/widgets/charts.py, rendered by templates/admin_site/chart.html) just before it comes into view, so
   that the first chart of a page does not wait for the last. The first one loads the chart library. Each figure then
   gets the event "chart:drawn". Without this script the figure still has its table. */

(() => {
  // Okabe, M., Ito, K. (2008). Color universal design. Ordered so that the first colours contrast best with the
  // background; black and white are the colours of the text.
  const LIGHT = { series: ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#1f2937", "#56b4e9", "#f0e442"],
    text: "#1f2937", lines: "#d1d5db", low: "#e8f1f8", high: "#00405f", ground: "#ffffff" };
  const DARK = { series: ["#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#f3f4f6", "#d55e00", "#0072b2"],
    text: "#e5e7eb", lines: "#4b5563", low: "#12303f", high: "#b9e3fb", ground: "#111827" };
  // Lines differ in more than colour.
  const SYMBOLS = ["circle", "rect", "triangle", "diamond", "roundRect", "pin", "arrow", "emptyCircle"];
  const MIN_ZOOM_LABELS = 18; // fewer labels need no zooming
  const language = document.documentElement.lang || "en";
  const drawn = [];
  const waiting = new Map(); // the drawing steps of each figure not drawn yet

  const isDark = () => document.documentElement.classList.contains("dark");
  const formats = new Map(); // creating one is slow on a phone
  const numbers = (decimals) => {
    if (!formats.has(decimals)) {
      formats.set(decimals, new Intl.NumberFormat(language, { minimumFractionDigits: decimals, maximumFractionDigits: decimals }));
    }
    return (value) => (value === null || value === undefined ? "–" : formats.get(decimals).format(value));
  };

  function options(chart, colours) {
    const number = numbers(chart.decimals);
    const withUnit = (value) => (chart.unit ? `${number(value)} ${chart.unit}` : number(value));
    const axis = { axisLabel: { color: colours.text, hideOverlap: true }, nameTextStyle: { color: colours.text },
      axisLine: { lineStyle: { color: colours.lines } }, splitLine: { lineStyle: { color: colours.lines } } };
    // No two ticks with the same rounded number.
    const values = { ...axis, type: "value", name: chart.unit, minInterval: 10 ** -chart.decimals,
      axisLabel: { ...axis.axisLabel, formatter: number } };
    const across = { nameLocation: "middle", nameGap: 30 };
    const labels = { ...axis, ...across, type: "category", data: chart.labels, name: chart.horizontal ? "" : chart.labelName,
      splitLine: { show: false } };
    const base = {
      animation: false, aria: { enabled: true, label: { description: chart.description } }, color: colours.series,
      textStyle: { color: colours.text, fontFamily: "inherit" }, legend: { show: false },
      grid: { left: 12, right: 24, top: 36, bottom: 36, containLabel: true },
      // Rich text is drawn on the canvas; HTML would need inline styles.
      tooltip: { renderMode: "richText", confine: true, valueFormatter: withUnit, backgroundColor: colours.ground,
        borderColor: colours.lines, textStyle: { color: colours.text } },
    };
    const kinds = { line: lines, bar: bars, heatmap: fields, scatter: points };
    const option = kinds[chart.kind](chart, { colours, base, axis, across, values, labels, number, withUnit });
    return zooms(chart) ? option : { ...option, dataZoom: [] };
  }

  function lines(chart, { base, values, labels, colours }) {
    const series = chart.series.flatMap((row, place) => {
      const colour = colours.series[place % colours.series.length];
      const line = { type: "line", name: row.name, data: row.values, color: colour, connectNulls: false,
        symbol: SYMBOLS[place % SYMBOLS.length], symbolSize: 6, showSymbol: chart.labels.length <= 2 * MIN_ZOOM_LABELS,
        lineStyle: { width: 2, type: row.dashed ? "dashed" : "solid" } };
      if (!row.low.length) return [line];
      // A band is two stacked lines with only the area between them filled.
      const edge = { type: "line", name: row.name, stack: `band-${place}`, symbol: "none", color: colour, silent: true,
        lineStyle: { opacity: 0 }, tooltip: { show: false }, stackStrategy: "all" };
      const height = row.high.map((high, at) => (high === null ? null : high - row.low[at]));
      return [line, { ...edge, data: row.low }, { ...edge, data: height, areaStyle: { opacity: 0.2 } }];
    });
    // Keep the first and last label within the drawing.
    const ends = { showMinLabel: true, showMaxLabel: true, alignMinLabel: "left", alignMaxLabel: "right" };
    const below = { ...labels, boundaryGap: false, axisLabel: { ...labels.axisLabel, ...ends } };
    return { ...base, xAxis: below, yAxis: values, series,
      tooltip: { ...base.tooltip, trigger: "axis" }, dataZoom: [{ type: "inside", zoomOnMouseWheel: "ctrl", moveOnMouseMove: false }] };
  }

  function bars(chart, { base, across, values, labels, colours }) {
    const series = chart.series.map((row, place) => ({ type: "bar", name: row.name, data: row.values,
      stack: chart.stacked ? "all" : undefined, barMaxWidth: 36, color: colours.series[place % colours.series.length] }));
    // First bar on top, as in the table.
    const axes = chart.horizontal
      ? { xAxis: { ...values, ...across }, yAxis: { ...labels, inverse: true, axisLabel: { color: colours.text, width: 240, overflow: "truncate" } } }
      : { xAxis: labels, yAxis: values };
    const zoomed = chart.horizontal ? { yAxisIndex: 0 } : { xAxisIndex: 0 };
    return { ...base, ...axes, series, aria: { ...base.aria, decal: { show: chart.series.length > 1 } },
      tooltip: { ...base.tooltip, trigger: "axis", axisPointer: { type: "shadow" } },
      dataZoom: [{ type: "inside", zoomOnMouseWheel: "ctrl", moveOnMouseMove: false, ...zoomed }] };
  }

  function fields(chart, { base, labels, colours, axis, number, withUnit }) {
    const data = chart.series.flatMap((row, y) => row.values.flatMap((value, x) => (value === null ? [] : [[x, y, value]])));
    const numbersShown = data.map((field) => field[2]);
    return { ...base, xAxis: labels, grid: { ...base.grid, right: 90 },
      yAxis: { ...axis, type: "category", data: chart.series.map((row) => row.name), inverse: true, splitLine: { show: false } },
      visualMap: { min: Math.min(0, ...numbersShown), max: Math.max(...numbersShown), calculable: false, right: 0, top: "middle",
        inRange: { color: [colours.low, colours.high] }, textStyle: { color: colours.text }, text: [number(Math.max(...numbersShown)), number(Math.min(0, ...numbersShown))] },
      tooltip: { ...base.tooltip, formatter: ({ value }) => `${chart.labels[value[0]]}, ${chart.series[value[1]].name}: ${withUnit(value[2])}` },
      dataZoom: ["xAxisIndex", "yAxisIndex"].map((axis) => ({ type: "inside", zoomOnMouseWheel: "ctrl", moveOnMouseMove: false, [axis]: 0 })),
      series: [{ type: "heatmap", name: chart.title, data, itemStyle: { borderColor: colours.ground, borderWidth: 1 } }] };
  }

  function points(chart, { base, across: below, values, colours, number }) {
    const [across, up] = chart.series;
    const data = chart.labels.map((name, at) => ({ name, value: [across.values[at], up.values[at]], link: chart.links[at] }));
    if (chart.groups.length) return groupsOfPoints(chart, data, { base, values, colours });
    return { ...base, xAxis: { ...values, ...below, name: across.name }, yAxis: { ...values, name: up.name },
      tooltip: { ...base.tooltip, formatter: ({ name, value }) => `${name}\n${across.name}: ${number(value[0])}\n${up.name}: ${number(value[1])}` },
      series: [{ type: "scatter", name: chart.title, data, symbolSize: 9, color: colours.series[0], itemStyle: { opacity: 0.75 } }] };
  }

  /** Points of a map: near points are similar, and the axes have no meaning. */
  function groupsOfPoints(chart, data, { base, values, colours }) {
    const bare = { ...values, name: "", scale: true, minInterval: 0, axisLabel: { show: false }, axisTick: { show: false } };
    const series = namesOf(chart).map((name, place) => ({ type: "scatter", name, symbolSize: 8, itemStyle: { opacity: 0.8 },
      symbol: SYMBOLS[Math.floor(place / colours.series.length) % SYMBOLS.length], color: colours.series[place % colours.series.length],
      data: data.filter((_point, at) => chart.groups[at] === name) }));
    return { ...base, xAxis: bare, yAxis: bare, series, grid: { ...base.grid, top: 12, bottom: 12 },
      dataZoom: ["xAxisIndex", "yAxisIndex"].map((axis) => ({ type: "inside", zoomOnMouseWheel: "ctrl", [axis]: 0 })),
      tooltip: { ...base.tooltip, formatter: ({ name, seriesName }) => `${name}\n${seriesName}` } };
  }

  const namesOf = (chart) => (chart.groups.length ? [...new Set(chart.groups)].sort() : chart.series.map((row) => row.name));

  /** A button for each series, because the canvas is not accessible by keyboard. */
  function keys(figure, chart) {
    if (chart.kind === "heatmap" || (chart.kind === "scatter" && !chart.groups.length) || chart.series.length < 2) return;
    const group = figure.querySelector(".chart-keys");
    namesOf(chart).forEach((name, place) => {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-pressed", "true");
      const sign = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      sign.setAttribute("viewBox", "0 0 24 12");
      sign.setAttribute("aria-hidden", "true");
      const mark = document.createElementNS("http://www.w3.org/2000/svg", "path");
      mark.setAttribute("d", "M0 6H24");
      mark.setAttribute("stroke-width", chart.kind === "bar" ? "12" : "3");
      if (chart.groups.length) {
        // As the points: round first, and with corners once the colours are used up.
        mark.setAttribute("d", "M12 6h.01");
        mark.setAttribute("stroke-width", "11");
        mark.setAttribute("stroke-linecap", place < LIGHT.series.length ? "round" : "square");
      } else if (chart.series[place].dashed) mark.setAttribute("stroke-dasharray", "5 3");
      sign.append(mark);
      button.append(sign, name);
      button.addEventListener("click", () => {
        const pressed = button.getAttribute("aria-pressed") !== "true";
        button.setAttribute("aria-pressed", pressed);
        viewOf(figure)?.dispatchAction({ type: pressed ? "legendSelect" : "legendUnSelect", name });
      });
      group.append(button);
    });
    group.hidden = false;
  }

  function paintKeys(figure, colours) {
    figure.querySelectorAll(".chart-keys path").forEach((mark, place) => {
      mark.setAttribute("stroke", colours.series[place % colours.series.length]);
    });
  }

  const zooms = (chart) => chart.labels.length >= MIN_ZOOM_LABELS && (chart.kind !== "scatter" || chart.groups.length);

  function zooming(figure, chart, view) {
    if (!zooms(chart)) return;
    let [start, end] = [0, 100];
    const steps = {
      in: () => [start + (end - start) / 4, end - (end - start) / 4],
      out: () => [start - (end - start) / 2, end + (end - start) / 2],
      earlier: () => [start - Math.min(start, (end - start) / 2), end - Math.min(start, (end - start) / 2)],
      later: () => [start + Math.min(100 - end, (end - start) / 2), end + Math.min(100 - end, (end - start) / 2)],
    };
    view.on("datazoom", () => { ({ start, end } = view.getOption().dataZoom[0]); });
    const buttons = figure.querySelector(".chart-zoom");
    buttons.addEventListener("click", (event) => {
      const step = steps[event.target.dataset.zoom];
      if (!step) return;
      const [from, to] = step();
      view.getOption().dataZoom.forEach((_zoom, dataZoomIndex) => {
        view.dispatchAction({ type: "dataZoom", dataZoomIndex, start: Math.max(0, from), end: Math.min(100, to) });
      });
    });
  }

  const placeOf = (figure) => figure.querySelector(".chart-drawing");
  const viewOf = (figure) => window.echarts?.getInstanceByDom(placeOf(figure));

  /** Reserve the space of a figure, so that nothing moves when it is drawn. */
  function prepare(figure) {
    const place = placeOf(figure);
    if (!place) return; // nothing to draw
    const chart = JSON.parse(document.getElementById(figure.dataset.chart).textContent);
    if (chart.horizontal) place.style.height = `${Math.max(8, 4 + chart.labels.length * (chart.stacked ? 1 : chart.series.length) * 1.6)}rem`;
    keys(figure, chart);
    paintKeys(figure, isDark() ? DARK : LIGHT);
    figure.querySelector(".chart-zoom").hidden = !zooms(chart);
    waiting.set(figure, drawing(figure, place, chart));
  }

  /** Draw a figure in steps, between which the page can respond. */
  function* drawing(figure, place, chart) {
    numbers(chart.decimals);
    yield;
    const view = echarts.init(place, null, { locale: language.startsWith("zh") ? "ZH" : "EN" });
    yield;
    const paint = (colours, how) => {
      view.setOption(options(chart, colours), how);
      paintKeys(figure, colours);
    };
    if (chart.links.length) view.on("click", ({ data }) => { if (data?.link) location.assign(data.link); });
    zooming(figure, chart, view);
    paint(isDark() ? DARK : LIGHT, { lazyUpdate: true }); // computed now, drawn with the next frame
    waiting.delete(figure);
    // Series hidden before the drawing stay hidden.
    figure.querySelectorAll('.chart-keys [aria-pressed="false"]').forEach(({ textContent: name }) => {
      view.dispatchAction({ type: "legendUnSelect", name });
    });
    new ResizeObserver(() => {
      if (view.getWidth() !== place.clientWidth || view.getHeight() !== place.clientHeight) view.resize();
    }).observe(place);
    drawn.push({ view, paint, table: figure.querySelector("details") });
    figure.dispatchEvent(new Event("chart:drawn"));
  }

  /** Load the chart library; a script element that browsers ignore holds its URL. */
  let loading = null;
  const loadLibrary = () => (loading ??= new Promise((done) => {
    const script = document.createElement("script");
    script.src = document.querySelector('script[type="text/lazy"]').src;
    script.addEventListener("load", done);
    document.head.append(script);
  }));

  function repaint() {
    drawn.forEach(({ paint }) => paint(isDark() ? DARK : LIGHT));
  }

  const figures = document.querySelectorAll("figure[data-chart]");
  figures.forEach(prepare);
  // One at a time: all at once would block a phone.
  const pause = () => new Promise((done) => { setTimeout(done); });
  async function draw(figure) {
    await loadLibrary();
    do await pause();
    while (waiting.has(figure) && !waiting.get(figure).next().done);
  }
  let before = Promise.resolve();
  const sight = new IntersectionObserver((entries) => {
    entries.filter(({ isIntersecting }) => isIntersecting).forEach(({ target }) => {
      sight.unobserve(target);
      // A figure that fails must not block the others.
      before = before.then(() => draw(target)).catch(reportError);
    });
  }, { rootMargin: "100px" });
  waiting.forEach((_draw, figure) => sight.observe(figure));
  new MutationObserver(repaint).observe(document.documentElement, { attributeFilter: ["class"] });
  // Paper is white, narrower than a screen, and not clickable.
  let opened = [];
  window.addEventListener("beforeprint", () => {
    if (window.echarts) waiting.forEach((steps) => { while (!steps.next().done); });
    opened = drawn.filter(({ table }) => table && !table.open);
    opened.forEach(({ table }) => { table.open = true; });
    drawn.forEach(({ view, paint }) => { paint(LIGHT); view.resize({ width: 640 }); });
  });
  window.addEventListener("afterprint", () => {
    opened.forEach(({ table }) => { table.open = false; });
    drawn.forEach(({ view }) => view.resize({ width: "auto" }));
    repaint();
  });
})();
