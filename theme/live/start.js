// The button of a page whose cells can run (tools/live.py puts it there). All else is loaded when it is pressed.
{
  const bar = document.querySelector(".live-bar");
  const here = new URL(".", document.currentScript.src);
  const button = bar.querySelector("button");
  const missing = () => {
    if (location.protocol === "file:") return "A page that is opened as a file cannot run: start a server in the book's folder (python -m http.server) and open the address that it tells.";
    if (!self.WebAssembly || !self.DecompressionStream) return "This browser cannot run Python: take a current Firefox, Chrome, Edge or Safari with WebAssembly allowed. The page reads as before, and its menus have the notebook to download.";
    return "";
  };
  button.addEventListener("click", async () => {
    button.disabled = true;
    let told = missing();
    if (!told) {
      const { begin } = await import(`${here}page.js`).catch(() => ({}));
      if (begin) return begin(bar);
      told = "The editor did not arrive. Reload the page when you are online, and try again.";
    }
    bar.querySelector("span").textContent = told;
    bar.querySelector("span").role = "alert";
    button.disabled = false;
  });
}
