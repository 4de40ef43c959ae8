// Light or dark as it was chosen on the site, else as the system has it.
const system = matchMedia("(prefers-color-scheme: dark)");
const paint = () => {
  const chosen = localStorage.getItem("mode");
  document.documentElement.dataset.theme = ["light", "dark"].includes(chosen) ? chosen : system.matches ? "dark" : "light";
};
system.addEventListener("change", paint);
paint();

// On a narrow screen the deck stays what it is without scripts, a page to scroll. The speaker's view has narrow frames of slides.
if (innerWidth >= 600 || location.search.includes("receiver")) {
  document.querySelector("#reveal").media = "screen";
  // Any view can be printed (deck.css): reveal.js's own for it is not wanted.
  if (/print/.test(location.search)) history.replaceState(null, "", location.pathname);
  Reveal.initialize({
    width: 1280, height: 720, margin: 0, center: false, display: "flex", transition: "none", scrollActivationWidth: null,
    hash: true, slideNumber: "c/t", plugins: [RevealNotes],
    // A button and a link keep the keys that press them.
    keyboardCondition: ({ target, key }) => !(target.closest("a, button") && [" ", "Enter"].includes(key)),
  });
  // Who has turned a knob with the mouse turns slides with the keys again.
  addEventListener("pointerup", ({ target }) => target.closest?.(".knob") && document.activeElement.blur());
}
