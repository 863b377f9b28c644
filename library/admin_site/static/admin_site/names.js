// Select2 puts a field of its own where one is found by typing; it gets the name of the one that it stands for.
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
    const shown = field.querySelector('[role="textbox"]');
    // The field is called by its label and what is chosen, the part that shows the choice by the label.
    field.setAttribute("aria-labelledby", shown ? `${label} ${shown.id}` : label);
    shown?.setAttribute("aria-labelledby", label);
  }

  function nameSearch(input) {
    const id = input.getAttribute("aria-controls")?.match(/^select2-(.+)-results$/)?.[1];
    const select = id && document.getElementById(id);
    const label = labelOf(select || input.closest(".select2-container")?.previousElementSibling);
    if (label) input.setAttribute("aria-labelledby", label);
  }

  const named = new MutationObserver((changes) => {
    for (const change of changes) {
      for (const node of change.addedNodes) {
        if (!node.classList?.contains("select2-container")) continue;
        nameField(node);
        node.querySelectorAll(".select2-search__field").forEach(nameSearch);
      }
    }
  });
  // When the page has been read: each of its parts would be a change.
  document.addEventListener("readystatechange", () => {
    named.observe(document.documentElement, { childList: true, subtree: true });
  }, { once: true });
})();
