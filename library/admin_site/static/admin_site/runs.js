"use strict";
/* Runs that go on: their bars and words follow without loading the page, which is loaded anew when one ends. */

(() => {
  const EVERY = 1500; // milliseconds
  const address = document.querySelector("[data-progress]").dataset.progress;

  async function look() {
    const shown = [...document.querySelectorAll("[data-run]")];
    const asked = new URLSearchParams([...new Set(shown.map((each) => each.dataset.run))].map((run) => ["run", run]));
    const answer = await fetch(`${address}?${asked}`).catch(() => null);
    if (answer?.ok && !answer.redirected) {
      const { runs } = await answer.json();
      if (runs.some((run) => !run.goes_on)) return location.reload();
      for (const each of shown) {
        const run = runs.find((one) => `${one.run}` === each.dataset.run);
        if (!run) continue;
        if (each.matches("progress")) each.value = run.how_far;
        else each.textContent = run[each.dataset.part];
      }
    }
    return setTimeout(look, EVERY);
  }

  if (document.querySelector("[data-run]")) setTimeout(look, EVERY);
})();
