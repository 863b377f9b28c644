"use strict";
/* Live progress of running jobs; the page reloads when a job ends. */

(() => {
  const INTERVAL = 1500; // milliseconds
  const url = document.querySelector("[data-progress]").dataset.progress;

  async function poll() {
    const elements = [...document.querySelectorAll("[data-run]")];
    const query = new URLSearchParams([...new Set(elements.map((element) => element.dataset.run))].map((run) => ["run", run]));
    const response = await fetch(`${url}?${query}`).catch(() => null);
    if (response?.ok && !response.redirected) {
      const { runs } = await response.json();
      if (runs.some((run) => !run.active)) return location.reload();
      for (const element of elements) {
        const run = runs.find((candidate) => `${candidate.run}` === element.dataset.run);
        if (!run) continue;
        if (element.matches("progress")) element.value = run.progress;
        else element.textContent = run[element.dataset.part];
      }
    }
    return setTimeout(poll, INTERVAL);
  }

  if (document.querySelector("[data-run]")) setTimeout(poll, INTERVAL);
})();
