"use strict";
/* The slider under the curve of accuracy and coverage: move the share of right answers that is wanted, and see how
   many books get an answer. Without it the figures stand in the table. */

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("[data-abstain]").forEach((part) => {
    const steps = JSON.parse(document.getElementById(part.dataset.steps).textContent);
    const figure = document.querySelector(`[data-chart="${part.dataset.abstain}-figures"]`);
    const drawing = figure?.querySelector(".chart-drawing");
    const [slider, output, words] = ["input", "output", "p"].map((name) => part.querySelector(name));
    const format = new Intl.NumberFormat(document.documentElement.lang || "en", { maximumFractionDigits: 1 });

    function show() {
      const wanted = Number(slider.value);
      const found = steps.find(([, accuracy]) => accuracy >= wanted);
      const said = found ? { wanted, coverage: found[0], accuracy: found[1] } : {};
      output.textContent = `${format.format(wanted)}%`;
      words.textContent = found
        ? words.dataset.said.replace(/\{(\w+)\}/g, (_all, name) => format.format(said[name]))
        : words.dataset.none;
      const at = found ? [{ xAxis: steps.length - 1 - steps.indexOf(found) }] : [];
      const mark = { symbol: "none", silent: true, label: { show: false }, lineStyle: { width: 2 }, data: [...at, { yAxis: wanted }] };
      if (drawing) window.echarts?.getInstanceByDom(drawing)?.setOption({ series: [{ markLine: mark }] });
    }

    slider.addEventListener("input", show);
    figure?.addEventListener("chart:drawn", show);
    part.hidden = false;
    show();
  });
});
