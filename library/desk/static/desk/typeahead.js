"use strict";
/* A field that looks for what is typed: data-typeahead names the address, which answers {results: [{key, name,
   above}]}. What is chosen goes into the field, and the button of the form with data-chosen is clicked.
   Without this script the field takes the key itself. The pattern is the combobox of the ARIA practices. */

let lists = 0;

function typeahead(field) {
  const list = document.createElement("ul");
  list.id = `found-${(lists += 1)}`;
  list.className = "found";
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", field.labels[0]?.textContent.trim() ?? "");
  field.after(list);
  const say = (attributes) => Object.entries(attributes).forEach(([name, value]) => field.setAttribute(name, value));
  say({ role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": list.id });
  let asked = 0;

  function close() {
    list.hidden = true;
    asked += 1; // what is still on its way comes too late
    say({ "aria-expanded": "false", "aria-activedescendant": "" });
  }

  function mark(option) {
    list.querySelector("[aria-selected=true]")?.setAttribute("aria-selected", "false");
    option?.setAttribute("aria-selected", "true");
    option?.scrollIntoView({ block: "nearest" });
    say({ "aria-activedescendant": option?.id ?? "" });
  }

  function choose(option) {
    field.value = option.dataset.value;
    close();
    field.form.querySelector("[data-chosen]").click();
  }

  async function look() {
    const text = field.value.trim();
    const mine = (asked += 1);
    if (!text) return close();
    const answer = await fetch(`${field.dataset.typeahead}?term=${encodeURIComponent(text)}`).catch(() => null);
    if (!answer?.ok || mine !== asked) return undefined;
    const { results } = await answer.json();
    if (mine !== asked) return undefined;
    list.replaceChildren(
      ...results.map(({ key, name, above }, place) => {
        const option = document.createElement("li");
        option.id = `${list.id}-${place}`;
        option.setAttribute("role", "option");
        option.dataset.value = key;
        option.textContent = name;
        if (above) option.append(Object.assign(document.createElement("small"), { textContent: above }));
        return option;
      }),
    );
    if (!results.length) {
      const none = document.createElement("li");
      none.setAttribute("role", "option");
      none.setAttribute("aria-disabled", "true");
      none.textContent = field.dataset.none;
      list.append(none);
    }
    list.hidden = false;
    say({ "aria-expanded": "true" });
    return mark(list.querySelector("[data-value]"));
  }

  field.addEventListener("input", look);
  field.addEventListener("blur", close);
  field.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const options = [...list.querySelectorAll("[data-value]")];
    const at = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      if (options.length) mark(options[(at + step + options.length) % options.length]);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (!list.hidden && options[at]) choose(options[at]);
      else if (field.value.trim()) field.form.querySelector("[data-chosen]").click();
    }
  });
  // Before the field loses the focus, and with it the list.
  list.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    const option = event.target.closest("[data-value]");
    if (option) choose(option);
  });
}

document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-typeahead]").forEach(typeahead));
document.addEventListener("books", (event) => event.target.querySelectorAll("[data-typeahead]:not([role])").forEach(typeahead));
