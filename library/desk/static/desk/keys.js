"use strict";
/* Pages that are worked by keyboard: a key clicks the element that bears it as data-key, or opens the search
   that the element names as data-search; what is found there is sent by the button named as data-then. */

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return;
  if (event.target.closest("input, select, textarea, .select2-container")) return;
  const found = document.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  if (!found) return;
  event.preventDefault();
  if (found.dataset.search) django.jQuery(`#${found.dataset.search}`).select2("open");
  else found.click();
});

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("[data-then]").forEach((search) => {
    django.jQuery(search).on("select2:select", () => document.getElementById(search.dataset.then).click());
  });
});
