"use strict";
/* A field that looks for what is typed: data-typeahead names the address, which answers {results: [{id, text,
   above}]}. Where a hidden field stands before it, that takes the id of what is chosen, and this one its text;
   else this one takes the id, as it does without this script, and the button of the form with data-chosen is
   clicked. The pattern is the combobox of the ARIA practices. */

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
  const kept = field.previousElementSibling?.type === "hidden" ? field.previousElementSibling : null;
  let named = field.value; // what the hidden field has, in words

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
    close();
    if (kept) return keep(option.dataset.value, option.firstChild.textContent);
    field.value = option.dataset.value;
    return field.form.querySelector("[data-chosen]").click();
  }

  function keep(id, text) {
    kept.value = id;
    named = field.value = text;
  }

  async function look(text) {
    const mine = (asked += 1);
    const address = new URL(field.dataset.typeahead, location);
    address.searchParams.set("term", text);
    const answer = await fetch(address).catch(() => null);
    if (!answer?.ok || answer.redirected || mine !== asked) return undefined; // redirected: signed out meanwhile
    const { results } = await answer.json();
    if (mine !== asked) return undefined;
    list.replaceChildren(
      ...results.map(({ id, text: name, above }, place) => {
        const option = document.createElement("li");
        option.id = `${list.id}-${place}`;
        option.setAttribute("role", "option");
        option.dataset.value = id;
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
    return mark(text ? list.querySelector("[data-value]") : null);
  }

  field.addEventListener("input", () => {
    const text = field.value.trim();
    if (!text && kept) keep("", "");
    return text ? look(text) : close();
  });
  field.addEventListener("blur", () => {
    close();
    if (kept) field.value = named; // half a word chooses nothing
  });
  // There may be few, which are chosen without typing.
  if (kept) field.addEventListener("click", () => { if (list.hidden) look(""); });
  field.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const options = [...list.querySelectorAll("[data-value]")];
    const at = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const to = event.key === "ArrowDown" ? at + 1 : Math.max(at, 0) - 1;
      if (list.hidden && kept) look(""); // what it had before is of another text
      else if (options.length) mark(options[(to + options.length) % options.length]);
    } else if (event.key === "Escape") close();
    else if (event.key === "Enter") {
      const chosen = !list.hidden && options[at];
      if (kept && !chosen) return; // the form is sent, as by any field
      event.preventDefault();
      if (chosen) choose(chosen);
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
