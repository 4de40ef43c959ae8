// A box that scrolls sideways must be reachable with the Tab key. This sees to it when a box is first laid out (book.css leaves that
// until its section comes near) and when it changes: a solution is opened, a font arrives, the window grows narrow.
const scrolling = new ResizeObserver((changed) => {
  const boxes = changed.map(({ target }) => [target, target.scrollWidth > target.clientWidth]);
  for (const [box, scrolls] of boxes) { // all are measured before one is changed, or each would be laid out anew
    if (scrolls != (box.tabIndex == 0)) box.tabIndex = scrolls ? 0 : -1;
  }
});
document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("div.math, pre, .cell_output > .output, .pst-scrollable-table-container").forEach((box) => scrolling.observe(box));
});

// A knob: the slider or its two buttons choose which of its figures is seen (book_theme.py makes it, book.css hides the rest).
function makeKnob(knob) {
  const slider = knob.querySelector("input");
  const positions = [...knob.querySelectorAll(".knob-position")];
  const turn = () => {
    const at = slider.valueAsNumber;
    positions.forEach((position, number) => position.classList.toggle("shown", number === at));
    const told = positions[at].querySelector("figcaption").textContent;
    slider.setAttribute("aria-valuetext", told); // a screen reader says it where it would say the number
    return told;
  };
  slider.addEventListener("input", turn);
  knob.querySelectorAll("button").forEach((button) => {
    button.addEventListener("click", () => {
      slider.valueAsNumber += Number(button.value);
      knob.querySelector("output").textContent = turn(); // the focus is on the button: say it here
    });
  });
  turn();
}
document.addEventListener("DOMContentLoaded", () => document.querySelectorAll(".knob").forEach(makeKnob));

// A formula is copied as its TeX: a browser would give one line for each of its signs.
document.addEventListener("copy", (event) => {
  const selected = document.getSelection();
  const copied = selected.rangeCount && selected.getRangeAt(0).cloneContents();
  const formulas = copied ? copied.querySelectorAll("math[alttext]") : [];
  if (!formulas.length) return;
  formulas.forEach((formula) => formula.replaceWith(`$${formula.getAttribute("alttext")}$`));
  event.clipboardData.setData("text/plain", copied.textContent);
  event.preventDefault();
});
