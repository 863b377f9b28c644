"use strict";
/* Review without waiting: each verdict is sent in the background while the next book, which came with the page, is shown.
   Verdicts are sent one at a time and stay in this window's storage until the server has saved them. Without this script
   each verdict reloads the page. */

(() => {
  const page = document.querySelector("[data-reviewer]");
  const STORAGE_KEY = `verdicts of ${page.dataset.reviewer} on ${location.pathname}`;
  const RETRY_DELAYS = [1000, 3000, 10000, 30000];
  const part = (name, parent = page) => parent.querySelector(`[data-part=${name}]`);
  const books = () => [...part("books").children];
  const shownBook = () => books().find((book) => !book.hidden);
  let waiting = JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? "[]");
  let sending = false;
  let failures = 0;

  function store() {
    if (waiting.length) sessionStorage.setItem(STORAGE_KEY, JSON.stringify(waiting));
    else sessionStorage.removeItem(STORAGE_KEY);
  }

  function show(book) {
    for (const other of books()) other.hidden = other !== book;
    page.classList.toggle("loading", !book);
    if (book) window.scrollTo({ top: 0 });
  }

  /* Show the server's response: messages, the number of books left, and the next books. */
  function update(html, wasUndo) {
    const response = new DOMParser().parseFromString(html, "text/html");
    part("remaining").replaceChildren(...part("remaining", response).childNodes);
    part("messages").replaceChildren(...part("messages", response).childNodes);
    const reviewed = new Set(waiting.map((verdict) => verdict.book));
    const next = [...part("books", response).children].filter((book) => !reviewed.has(book.dataset.book));
    const current = shownBook();
    const position = next.findIndex((book) => book.dataset.book === current?.dataset.book);
    if (position < 0) part("books").replaceChildren(...next);
    else {
      // The current book stays in the document, because the reviewer may be typing into its form.
      for (const book of books()) if (book !== current) book.remove();
      current.before(...next.slice(0, position));
      current.after(...next.slice(position + 1));
      next[position] = current;
    }
    // A book whose verdict was undone or could not be saved is shown first.
    const showFirst = wasUndo || part("messages").querySelector(".error");
    if (position < 0 || (position > 0 && showFirst)) show(next[0]);
    else for (const book of next) book.hidden = book !== current;
    part("books").dispatchEvent(new Event("review:books", { bubbles: true }));
  }

  /* Send a request with the newest token, because signing in again creates a new one. */
  async function request(fields) {
    const token = books().at(-1)?.querySelector("[name=csrfmiddlewaretoken]")?.value ?? page.dataset.token;
    page.dataset.token = token;
    const body = fields && new URLSearchParams([...fields, ["csrfmiddlewaretoken", token]]);
    const headers = { "X-Requested-With": "fetch" };
    const response = await fetch(location.href, { method: fields ? "POST" : "GET", headers, body });
    if (!response.ok || response.redirected) throw new Error(`${response.status}`);
    return response.text();
  }

  function showFailure() {
    const message = document.createElement("p");
    const discard = Object.assign(document.createElement("button"), { className: "row-button", textContent: page.dataset.discardText });
    discard.addEventListener("click", () => {
      waiting = [];
      store();
      location.reload();
    });
    message.className = "error";
    message.append(`${page.dataset.unsavedText} ${waiting.length}. ${page.dataset.retryText} `, discard);
    part("messages").replaceChildren(message);
  }

  async function send() {
    if (sending) return;
    sending = true;
    try {
      while (waiting.length) {
        if (failures) update(await request(null), false);
        const { fields, isUndo } = waiting[0];
        const html = await request(fields);
        waiting.shift();
        store();
        failures = 0;
        update(html, isUndo);
      }
    } catch {
      showFailure();
      setTimeout(send, RETRY_DELAYS[Math.min(failures, RETRY_DELAYS.length - 1)]);
      failures += 1;
    } finally {
      sending = false;
    }
  }

  page.addEventListener("submit", (event) => {
    const form = event.target.closest("article form");
    if (!form) return;
    event.preventDefault();
    const button = event.submitter;
    const field = form.elements.category;
    if (button.value === "correct" && !field.value.trim()) {
      field.focus();
      return;
    }
    const isUndo = button.value === "undo";
    const fields = [...new FormData(form, button)].filter(([name]) => name !== "csrfmiddlewaretoken");
    const book = shownBook();
    waiting.push({ book: isUndo ? null : book.dataset.book, isUndo, fields });
    store();
    if (!isUndo) {
      page.dataset.token = form.elements.csrfmiddlewaretoken.value;
      book.remove();
      show(books()[0]);
      for (const undo of part("books").querySelectorAll("[value=undo]")) undo.disabled = false;
    }
    document.activeElement?.blur();
    send();
  });

  window.addEventListener("beforeunload", (event) => {
    if (waiting.length) event.preventDefault();
  });
  if (waiting.length) {
    // Verdicts from before a reload.
    const reviewed = new Set(waiting.map((verdict) => verdict.book));
    for (const book of books()) if (reviewed.has(book.dataset.book)) book.remove();
    show(books()[0]);
    send();
  }
})();
