"use strict";
/* The category field of the review page. Without this script it takes a notation; with it, it becomes the admin's own
   autocomplete (Select2, which the filters above load), and choosing a category files the book. */

(() => {
  const $ = django.jQuery;

  /* A category, and below it the categories it belongs to. */
  function describe({ text, parents }) {
    const name = document.createElement("span");
    name.textContent = text;
    if (parents) name.append(Object.assign(document.createElement("small"), { className: "parents", textContent: parents }));
    return name;
  }

  function enhance(input) {
    const select = Object.assign(document.createElement("select"), { id: input.id, name: input.name });
    select.dataset.key = input.dataset.key;
    input.replaceWith(select);
    $(select).select2({
      ajax: { url: input.dataset.categorySearch, delay: 100, data: ({ term }) => ({ term }) },
      minimumInputLength: 1,
      placeholder: input.placeholder,
      templateResult: describe,
      theme: "admin-autocomplete",
      width: "100%",
    });
    $(select).on("select2:select", () => select.form.querySelector("[data-save-category]").click());
  }

  const enhanceAll = (part) => part.querySelectorAll("[data-category-search]").forEach(enhance);
  document.addEventListener("DOMContentLoaded", () => enhanceAll(document));
  document.addEventListener("review:books", (event) => enhanceAll(event.target));
})();
