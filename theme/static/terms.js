// The meaning of a glossary term, shown under its link on hover, on focus and at the first tap (definitions.py lays it there).
// The link stays a link: a click, the Enter key and a second tap lead to the glossary. Escape closes.
document.addEventListener("DOMContentLoaded", () => {
  if (!HTMLElement.prototype.showPopover) return;
  let link, meaning, waiting;

  const close = () => {
    clearTimeout(waiting);
    if (meaning?.matches(":popover-open")) meaning.hidePopover();
    link = meaning = undefined;
  };

  const open = (next) => {
    clearTimeout(waiting);
    if (next === link) return;
    close();
    link = next;
    meaning = document.getElementById(link.getAttribute("aria-describedby"));
    meaning.showPopover({ source: link }); // the Tab key goes on into it
    // Below the line in which the link begins, or above it where the window ends; within the window's width.
    const line = link.getClientRects()[0];
    const box = meaning.getBoundingClientRect();
    const above = line.bottom + box.height + 8 > innerHeight && line.top > box.height + 8;
    meaning.style.top = `${scrollY + (above ? line.top - box.height - 4 : line.bottom + 4)}px`;
    meaning.style.left = `${scrollX + Math.max(8, Math.min(line.left, document.documentElement.clientWidth - box.width - 8))}px`;
  };

  const later = (action, delay) => {
    clearTimeout(waiting);
    waiting = setTimeout(action, delay);
  };

  document.querySelectorAll("a[aria-describedby^='meaning-']").forEach((each) => {
    let touched = false; // by a finger, which has no hover: the first tap shows, the second follows
    each.addEventListener("pointerdown", (event) => {
      touched = event.pointerType === "touch" && link !== each;
    });
    each.addEventListener("click", (event) => {
      if (!touched) return;
      event.preventDefault();
      touched = false;
      open(each);
    });
    each.addEventListener("pointerenter", (event) => event.pointerType === "touch" || later(() => open(each), 150));
    each.addEventListener("pointerleave", (event) => event.pointerType === "touch" || later(close, 250));
    each.addEventListener("focus", () => each.matches(":focus-visible") && open(each));
    each.addEventListener("blur", () => later(close, 250));
  });

  // The pointer may go into the box, to read on or to follow a link there, and so may the focus.
  document.querySelectorAll(".meaning").forEach((box) => {
    box.addEventListener("pointerenter", () => clearTimeout(waiting));
    box.addEventListener("pointerleave", (event) => event.pointerType === "touch" || later(close, 250));
    box.addEventListener("focusin", () => clearTimeout(waiting));
    box.addEventListener("focusout", () => later(close, 250));
  });

  document.addEventListener("keydown", (event) => event.key === "Escape" && close());
  document.addEventListener("pointerdown", (event) => event.target.closest(".meaning, a") ?? close());
});
