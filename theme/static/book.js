// A box that scrolls sideways must be reachable with the Tab key. The theme sees to that when the page is loaded;
// this sees to it again when a box changes: a solution is opened, MathJax sets a formula, the window grows narrow.
const scrolling = new ResizeObserver((changed) => {
  for (const { target } of changed) {
    for (const box of [target, ...target.querySelectorAll("mjx-container")]) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  }
});
document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("div.math, pre, .cell_output > .output").forEach((box) => scrolling.observe(box));
});
