// Accessible names for Select2, whose field replaces the labelled one.
(() => {
  function labelOf(select) {
    const label = select?.labels?.[0];
    if (label && !label.id) label.id = `${select.id}-label`;
    return label?.id;
  }

  function nameField(container) {
    const label = labelOf(container.previousElementSibling);
    const field = container.querySelector(".select2-selection");
    if (!label || !field) return;
    const selection = field.querySelector('[role="textbox"]');
    // The label and the selected text name the field; the label names the part that shows the selection.
    field.setAttribute("aria-labelledby", selection ? `${label} ${selection.id}` : label);
    selection?.setAttribute("aria-labelledby", label);
  }

  function nameSearch(input) {
    const id = input.getAttribute("aria-controls")?.match(/^select2-(.+)-results$/)?.[1];
    const select = id && document.getElementById(id);
    const label = labelOf(select || input.closest(".select2-container")?.previousElementSibling);
    if (label) input.setAttribute("aria-labelledby", label);
  }

  const observer = new MutationObserver((changes) => {
    for (const change of changes) {
      for (const node of change.addedNodes) {
        if (!node.classList?.contains("select2-container")) continue;
        nameField(node);
        node.querySelectorAll(".select2-search__field").forEach(nameSearch);
      }
    }
  });
  // After parsing, because every parsed element would count as a change.
  document.addEventListener("readystatechange", () => {
    observer.observe(document.documentElement, { childList: true, subtree: true });
  }, { once: true });
})();
