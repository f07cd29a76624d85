"use strict";
// Without this script each number is a link to its chain further down. With it, a button that opens
// the same chains, cloned, in a dialog.
(() => {
  const dialog = document.getElementById("provenance-dialog");
  if (!dialog || !dialog.showModal) return;
  const body = dialog.querySelector(".dialog-body");
  const lead = document.getElementById("dialog-lead");
  let opener = null;

  const cloned = (id, open) => {
    const copy = document.getElementById(id).cloneNode(true);
    copy.querySelectorAll("[id]").forEach((element) => element.removeAttribute("id"));
    copy.removeAttribute("id");
    copy.open = open;
    copy.querySelectorAll(".settings").forEach((settings) => { settings.open = false; });
    return copy;
  };

  const show = (button) => {
    const ids = button.dataset.chain.split(" ");
    // what made the table comes last: a reader of a number asks for its training first
    const runs = ids.filter((id) => id.startsWith("run-"));
    const made = ids.filter((id) => !id.startsWith("run-"));
    const first = [...runs, ...made][0];
    body.replaceChildren(...[...runs, ...made].map((id) => cloned(id, id === first)));
    lead.textContent = button.dataset.heading + (button.dataset.value ? ": " + button.dataset.value : "");
    opener = button;
    dialog.showModal();
    body.scrollTop = 0;
  };

  document.querySelectorAll("a.open").forEach((link) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = link.className;
    button.textContent = link.textContent;
    button.dataset.chain = link.dataset.chain;
    button.dataset.heading = link.dataset.heading;
    if (/\d/.test(link.textContent) && link.closest("td")) button.dataset.value = link.textContent;
    button.setAttribute("aria-label", link.getAttribute("aria-label"));
    button.setAttribute("aria-haspopup", "dialog");
    button.addEventListener("click", () => show(button));
    link.replaceWith(button);
  });

  dialog.querySelector(".close").addEventListener("click", () => dialog.close());
  // a click beside the dialog's content lands on the dialog itself
  dialog.addEventListener("click", (event) => {
    const box = dialog.getBoundingClientRect();
    const inside = event.clientX >= box.left && event.clientX <= box.right
      && event.clientY >= box.top && event.clientY <= box.bottom;
    if (event.target === dialog && !inside) dialog.close();
    if (event.target.closest("a[href^='#']")) dialog.close();
  });
  dialog.addEventListener("close", () => {
    body.replaceChildren();
    if (opener) opener.focus();
    opener = null;
  });
})();

// A link to a chain that is folded opens it.
(() => {
  const unfold = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.tagName === "DETAILS") { target.open = true; target.scrollIntoView(); }
  };
  window.addEventListener("hashchange", unfold);
  unfold();
})();
