"use strict";
/* Book after book without waiting: an answer is sent in the background while the next book, which came with the
   page, is shown. Answers are sent one after the other, and each stays in this window's store until the server
   has said that it is saved; without this script each one loads the page anew. */

(() => {
  const desk = document.querySelector("[data-answers]");
  const STORE = `answers of ${desk.dataset.answers} on ${location.pathname}`;
  const PAUSES = [1000, 3000, 10000, 30000];
  const part = (name, where = desk) => where.querySelector(`[data-part=${name}]`);
  const books = () => [...part("books").children];
  const shown = () => books().find((book) => !book.hidden);
  let waiting = JSON.parse(sessionStorage.getItem(STORE) ?? "[]");
  let sending = false;
  let failures = 0;

  function keep() {
    if (waiting.length) sessionStorage.setItem(STORE, JSON.stringify(waiting));
    else sessionStorage.removeItem(STORE);
  }

  function show(book) {
    for (const each of books()) each.hidden = each !== book;
    desk.classList.toggle("loading", !book);
    if (book) window.scrollTo({ top: 0 });
  }

  /* What the server has said: messages, how many are left, and the books that are next. */
  function take(html, wasUndo) {
    const page = new DOMParser().parseFromString(html, "text/html");
    part("left").replaceChildren(...part("left", page).childNodes);
    part("said").replaceChildren(...part("said", page).childNodes);
    const answered = new Set(waiting.map((answer) => answer.book));
    const fresh = [...part("books", page).children].filter((book) => !answered.has(book.dataset.book));
    const current = shown();
    const at = fresh.findIndex((book) => book.dataset.book === current?.dataset.book);
    if (at < 0) part("books").replaceChildren(...fresh);
    else {
      // The book that is being looked at stays where it is: somebody may be typing into it.
      for (const each of books()) if (each !== current) each.remove();
      current.before(...fresh.slice(0, at));
      current.after(...fresh.slice(at + 1));
      fresh[at] = current;
    }
    // What was undone comes first, and so does what could not be saved.
    const goesBack = wasUndo || part("said").querySelector(".error");
    if (at < 0 || (at > 0 && goesBack)) show(fresh[0]);
    else for (const each of fresh) each.hidden = each !== current;
    part("books").dispatchEvent(new Event("books", { bubbles: true }));
  }

  /* Ask with the newest token: signing in again makes a new one. */
  async function ask(fields) {
    const token = books().at(-1)?.querySelector("[name=csrfmiddlewaretoken]")?.value ?? desk.dataset.token;
    desk.dataset.token = token;
    const body = fields && new URLSearchParams([...fields, ["csrfmiddlewaretoken", token]]);
    const headers = { "X-Requested-With": "fetch" };
    const answer = await fetch(location.href, { method: fields ? "POST" : "GET", headers, body });
    if (!answer.ok || answer.redirected) throw new Error(`${answer.status}`);
    return answer.text();
  }

  function tellOfFailure() {
    const words = document.createElement("p");
    const drop = Object.assign(document.createElement("button"), { className: "row-button", textContent: desk.dataset.drop });
    drop.addEventListener("click", () => {
      waiting = [];
      keep();
      location.reload();
    });
    words.className = "error";
    words.append(`${desk.dataset.waiting} ${waiting.length}. ${desk.dataset.retry} `, drop);
    part("said").replaceChildren(words);
  }

  async function send() {
    if (sending) return;
    sending = true;
    try {
      while (waiting.length) {
        if (failures) take(await ask(null), false);
        const { fields, isUndo } = waiting[0];
        const html = await ask(fields);
        waiting.shift();
        keep();
        failures = 0;
        take(html, isUndo);
      }
    } catch {
      tellOfFailure();
      setTimeout(send, PAUSES[Math.min(failures, PAUSES.length - 1)]);
      failures += 1;
    } finally {
      sending = false;
    }
  }

  desk.addEventListener("submit", (event) => {
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
    const book = shown();
    waiting.push({ book: isUndo ? null : book.dataset.book, isUndo, fields });
    keep();
    if (!isUndo) {
      desk.dataset.token = form.elements.csrfmiddlewaretoken.value;
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
    // Of a window that was loaded anew before all was saved.
    const answered = new Set(waiting.map((answer) => answer.book));
    for (const book of books()) if (answered.has(book.dataset.book)) book.remove();
    show(books()[0]);
    send();
  }
})();
