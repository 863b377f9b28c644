"use strict";
/* Draws each <figure data-chart="id"> from the JSON script element with that id (library/admin_site/widgets/charts.py makes it,
   templates/admin_site/chart.html holds both) when it is nearly in sight: a page of statistics has many, and whoever came
   for the first is not to wait for the last. The library that draws is fetched for the first of them. Each figure then
   gets the event "chart:drawn". Without this file the figure still has its table. */

(() => {
  // Okabe, M., Ito, K. (2008). Color universal design. In an order in which the first stand out best from the
  // ground; black and white are the text's own colour.
  const LIGHT = { series: ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#1f2937", "#56b4e9", "#f0e442"],
    text: "#1f2937", lines: "#d1d5db", low: "#e8f1f8", high: "#00405f", ground: "#ffffff" };
  const DARK = { series: ["#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#f3f4f6", "#d55e00", "#0072b2"],
    text: "#e5e7eb", lines: "#4b5563", low: "#12303f", high: "#b9e3fb", ground: "#111827" };
  // Colour is never all that tells lines apart.
  const SYMBOLS = ["circle", "rect", "triangle", "diamond", "roundRect", "pin", "arrow", "emptyCircle"];
  const MANY = 18; // labels, from which on zooming helps
  const language = document.documentElement.lang || "en";
  const drawn = [];
  const waiting = new Map(); // of each figure not drawn yet, what draws it

  const isDark = () => document.documentElement.classList.contains("dark");
  const formats = new Map(); // a phone takes a while to look one up
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
    // No two marks between which the numbers, as they are rounded, do not differ.
    const values = { ...axis, type: "value", name: chart.unit, minInterval: 10 ** -chart.decimals,
      axisLabel: { ...axis.axisLabel, formatter: number } };
    const across = { nameLocation: "middle", nameGap: 30 };
    const labels = { ...axis, ...across, type: "category", data: chart.labels, name: chart.horizontal ? "" : chart.labelName,
      splitLine: { show: false } };
    const base = {
      animation: false, aria: { enabled: true, label: { description: chart.description } }, color: colours.series,
      textStyle: { color: colours.text, fontFamily: "inherit" }, legend: { show: false },
      grid: { left: 12, right: 24, top: 36, bottom: 36, containLabel: true },
      // Rich text is drawn, not written as HTML, so that no style in a page is needed.
      tooltip: { renderMode: "richText", confine: true, valueFormatter: withUnit, backgroundColor: colours.ground,
        borderColor: colours.lines, textStyle: { color: colours.text } },
    };
    const kinds = { line: lines, bar: bars, heatmap: fields, scatter: points };
    const made = kinds[chart.kind](chart, { colours, base, axis, across, values, labels, number, withUnit });
    return zooms(chart) ? made : { ...made, dataZoom: [] };
  }

  function lines(chart, { base, values, labels, colours }) {
    const series = chart.series.flatMap((one, place) => {
      const colour = colours.series[place % colours.series.length];
      const line = { type: "line", name: one.name, data: one.values, color: colour, connectNulls: false,
        symbol: SYMBOLS[place % SYMBOLS.length], symbolSize: 6, showSymbol: chart.labels.length <= 2 * MANY,
        lineStyle: { width: 2, type: one.dashed ? "dashed" : "solid" } };
      if (!one.low.length) return [line];
      // A band is two lines stacked, of which only what is between them is filled.
      const edge = { type: "line", name: one.name, stack: `band-${place}`, symbol: "none", color: colour, silent: true,
        lineStyle: { opacity: 0 }, tooltip: { show: false }, stackStrategy: "all" };
      const height = one.high.map((high, at) => (high === null ? null : high - one.low[at]));
      return [line, { ...edge, data: one.low }, { ...edge, data: height, areaStyle: { opacity: 0.2 } }];
    });
    // The first and the last stay within the drawing.
    const ends = { showMinLabel: true, showMaxLabel: true, alignMinLabel: "left", alignMaxLabel: "right" };
    const below = { ...labels, boundaryGap: false, axisLabel: { ...labels.axisLabel, ...ends } };
    return { ...base, xAxis: below, yAxis: values, series,
      tooltip: { ...base.tooltip, trigger: "axis" }, dataZoom: [{ type: "inside", zoomOnMouseWheel: "ctrl", moveOnMouseMove: false }] };
  }

  function bars(chart, { base, across, values, labels, colours }) {
    const series = chart.series.map((one, place) => ({ type: "bar", name: one.name, data: one.values,
      stack: chart.stacked ? "all" : undefined, barMaxWidth: 36, color: colours.series[place % colours.series.length] }));
    // The first bar is on top, as in the table.
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
    const found = data.map((field) => field[2]);
    return { ...base, xAxis: labels, grid: { ...base.grid, right: 90 },
      yAxis: { ...axis, type: "category", data: chart.series.map((row) => row.name), inverse: true, splitLine: { show: false } },
      visualMap: { min: Math.min(0, ...found), max: Math.max(...found), calculable: false, right: 0, top: "middle",
        inRange: { color: [colours.low, colours.high] }, textStyle: { color: colours.text }, text: [number(Math.max(...found)), number(Math.min(0, ...found))] },
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

  /** Points of a map: what is near is alike, and the axes mean nothing. */
  function groupsOfPoints(chart, data, { base, values, colours }) {
    const bare = { ...values, name: "", scale: true, minInterval: 0, axisLabel: { show: false }, axisTick: { show: false } };
    const series = namesOf(chart).map((name, place) => ({ type: "scatter", name, symbolSize: 8, itemStyle: { opacity: 0.8 },
      symbol: SYMBOLS[Math.floor(place / colours.series.length) % SYMBOLS.length], color: colours.series[place % colours.series.length],
      data: data.filter((_point, at) => chart.groups[at] === name) }));
    return { ...base, xAxis: bare, yAxis: bare, series, grid: { ...base.grid, top: 12, bottom: 12 },
      dataZoom: ["xAxisIndex", "yAxisIndex"].map((axis) => ({ type: "inside", zoomOnMouseWheel: "ctrl", [axis]: 0 })),
      tooltip: { ...base.tooltip, formatter: ({ name, seriesName }) => `${name}\n${seriesName}` } };
  }

  const namesOf = (chart) => (chart.groups.length ? [...new Set(chart.groups)].sort() : chart.series.map((one) => one.name));

  /** A button for each series: the canvas itself cannot be reached by keyboard. */
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
        // As the points are: the first are round, those for which no colour is left have corners.
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

  const zooms = (chart) => chart.labels.length >= MANY && (chart.kind !== "scatter" || chart.groups.length);

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
      view.getOption().dataZoom.forEach((_one, dataZoomIndex) => {
        view.dispatchAction({ type: "dataZoom", dataZoomIndex, start: Math.max(0, from), end: Math.min(100, to) });
      });
    });
  }

  const placeOf = (figure) => figure.querySelector(".chart-drawing");
  const viewOf = (figure) => window.echarts?.getInstanceByDom(placeOf(figure));

  /** Give a figure all the room that it will take, so that nothing jumps when it is drawn. */
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

  /** Draw a figure step by step: between them whoever waits for the page has a turn. */
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
    paint(isDark() ? DARK : LIGHT, { lazyUpdate: true }); // put together now, drawn with the next frame
    waiting.delete(figure);
    // What was left out before it was drawn stays out.
    figure.querySelectorAll('.chart-keys [aria-pressed="false"]').forEach(({ textContent: name }) => {
      view.dispatchAction({ type: "legendUnSelect", name });
    });
    new ResizeObserver(() => {
      if (view.getWidth() !== place.clientWidth || view.getHeight() !== place.clientHeight) view.resize();
    }).observe(place);
    drawn.push({ view, paint, table: figure.querySelector("details") });
    figure.dispatchEvent(new Event("chart:drawn"));
  }

  /** Fetch what draws; its address stands in the page, as a script that browsers leave alone. */
  let fetching = null;
  const fetched = () => (fetching ??= new Promise((done) => {
    const script = document.createElement("script");
    script.src = document.querySelector('script[type="text/later"]').src;
    script.addEventListener("load", done);
    document.head.append(script);
  }));

  function repaint() {
    drawn.forEach(({ paint }) => paint(isDark() ? DARK : LIGHT));
  }

  const figures = document.querySelectorAll("figure[data-chart]");
  figures.forEach(prepare);
  // One after the other: all at once would keep a phone busy.
  const pause = () => new Promise((done) => { setTimeout(done); });
  async function draw(figure) {
    await fetched();
    do await pause();
    while (waiting.has(figure) && !waiting.get(figure).next().done);
  }
  let before = Promise.resolve();
  const sight = new IntersectionObserver((entries) => {
    entries.filter(({ isIntersecting }) => isIntersecting).forEach(({ target }) => {
      sight.unobserve(target);
      // One that fails keeps none of the others from being drawn.
      before = before.then(() => draw(target)).catch(reportError);
    });
  }, { rootMargin: "100px" });
  waiting.forEach((_draw, figure) => sight.observe(figure));
  new MutationObserver(repaint).observe(document.documentElement, { attributeFilter: ["class"] });
  // Paper is white, narrower than a screen, and can't be clicked.
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
