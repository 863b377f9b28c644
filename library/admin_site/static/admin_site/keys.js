"use strict";
/* Pages that are worked by keyboard: a key clicks the element that bears it as data-key, or goes to it where it
   is a field. What is hidden has no key. Escape leaves a field. */

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return;
  const field = event.target.closest("input:not([type=checkbox]), select, textarea, [contenteditable]");
  if (field) {
    if (event.key === "Escape") field.blur();
    return;
  }
  const bearers = document.querySelectorAll(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  const found = [...bearers].find((each) => !each.closest("[hidden]"));
  if (!found) return;
  event.preventDefault();
  if (found.matches("input")) found.focus();
  else found.click();
});
