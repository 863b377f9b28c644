"use strict";
/* Slider below the chart of precision and coverage: choose a precision and see the share of books that get a suggestion.
   Without this script the table has the same numbers. */

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("[data-precision-slider]").forEach((part) => {
    const steps = JSON.parse(document.getElementById(part.dataset.steps).textContent);
    const figure = document.querySelector(`[data-chart="${part.dataset.precisionSlider}-data"]`);
    const drawing = figure?.querySelector(".chart-drawing");
    const [slider, output, sentence] = ["input", "output", "p"].map((name) => part.querySelector(name));
    const format = new Intl.NumberFormat(document.documentElement.lang || "en", { maximumFractionDigits: 1 });

    function show() {
      const target = Number(slider.value);
      const step = steps.find(([, accuracy]) => accuracy >= target);
      const values = step ? { target, coverage: step[0], accuracy: step[1] } : {};
      output.textContent = `${format.format(target)}%`;
      sentence.textContent = step
        ? sentence.dataset.text.replace(/\{(\w+)\}/g, (_all, name) => format.format(values[name]))
        : sentence.dataset.unreachable;
      const position = step ? [{ xAxis: steps.length - 1 - steps.indexOf(step) }] : [];
      const mark = { symbol: "none", silent: true, label: { show: false }, lineStyle: { width: 2 }, data: [...position, { yAxis: target }] };
      if (drawing) window.echarts?.getInstanceByDom(drawing)?.setOption({ series: [{ markLine: mark }] });
    }

    slider.addEventListener("input", show);
    figure?.addEventListener("chart:drawn", show);
    part.hidden = false;
    show();
  });
});
