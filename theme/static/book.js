// A box that scrolls sideways must be reachable with the Tab key. The theme sees to code and tables; this sees to formulas,
// when MathJax has set them and when the window changes.
const formulas = new ResizeObserver((changed) => {
  for (const { target } of changed) {
    for (const box of target.querySelectorAll("mjx-container")) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  }
});
document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("div.math").forEach((formula) => formulas.observe(formula)));
