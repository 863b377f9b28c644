"use strict";
/* Keyboard shortcuts: a key clicks the visible element with this data-key, or focuses it if it is a field. Escape leaves
   a field. */

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return;
  const field = event.target.closest("input:not([type=checkbox]), select, textarea, [contenteditable]");
  if (field) {
    if (event.key === "Escape") field.blur();
    return;
  }
  const elements = document.querySelectorAll(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  const target = [...elements].find((element) => !element.closest("[hidden]"));
  if (!target) return;
  event.preventDefault();
  if (target.matches("input")) target.focus();
  else if (target.matches("select")) django.jQuery(target).select2("open");
  else target.click();
});
