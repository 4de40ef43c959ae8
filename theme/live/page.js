// The page as notebook: each cell of code becomes an editor, and Python in a worker runs it. start.js calls `begin`.
import {
  EditorView, LanguageSupport, bracketMatching, defaultKeymap, history, historyKeymap, indentOnInput, indentUnit, keymap,
  pythonLanguage, syntaxHighlighting, tagHighlighter, tags,
} from "./codemirror.js";

const root = new URL(document.documentElement.dataset.content_root, location.href);
const cells = []; // those of the book and the empty ones under exercises, in the order of the page
const waiting = []; // cells to run
let bar, facts, versions, imports, worker, ready, running;

/** An element with its attributes and what is in it. */
function make(tag, settings = {}, ...content) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(settings)) made.setAttribute(name, value);
  made.append(...content);
  return made;
}

function button(words, click, settings) {
  const made = make("button", { type: "button", ...settings }, words);
  made.addEventListener("click", click);
  return made;
}

/** Say something: seen in the bar, and read out by screen readers. */
const say = (...words) => bar.status.replaceChildren(...words);

// --- what the reader typed is kept by page, by the book's text of the cell and, among equal ones, by their order ---------------

const page = `live:${location.pathname}:`;
let forgetful = false; // the browser keeps nothing

/** A short name of a text, to know it again. */
function hash(text) {
  let value = 5381n;
  for (const letter of text) value = (value * 33n + BigInt(letter.codePointAt(0))) & 0xffffffffffffn;
  return value.toString(36);
}

function keep(cell) {
  try {
    if (cell.text === cell.book) localStorage.removeItem(page + cell.key);
    else localStorage.setItem(page + cell.key, JSON.stringify({ text: cell.text, number: cell.number }));
  } catch {
    if (!forgetful) say("Your browser keeps nothing here: its storage is full or forbidden. Save the notebook before you leave, or what you typed is lost.");
    forgetful = true;
  }
}

/** Bring back what was typed in an earlier visit; where the book's text has changed since, offer both. */
function recall() {
  for (const [key, value] of Object.entries(localStorage).filter(([key]) => key.startsWith(page))) {
    const { text, number } = JSON.parse(value);
    const same = cells.find((cell) => page + cell.key === key);
    if (same) same.text = text;
    else offer(cells[Math.min(number, cells.length) - 1], "The book’s text of this cell has changed since you edited it.", text, () => localStorage.removeItem(key));
  }
}

function offer(cell, words, text, forget = () => {}) {
  const choose = (act) => () => (act(), forget(), cell.say(""));
  cell.say(`${words} `, button("Take the other text", choose(() => (cell.text = text))), button("Forget it", choose(() => {})));
}

addEventListener("storage", ({ key, newValue }) => {
  const cell = cells.find((each) => page + each.key === key);
  const text = newValue ? JSON.parse(newValue).text : cell?.book;
  if (cell && text !== cell.text) offer(cell, "This cell was edited in another tab.", text);
});
addEventListener("beforeunload", (event) => forgetful && cells.some((cell) => cell.text !== cell.book) && event.preventDefault());

// --- outputs, in the book's look -------------------------------------------------------------------------------------------------

function shown(output, cell) {
  const text = (words, kind) => make("div", { class: `output ${kind}` }, make("div", { class: "highlight" }, make("pre", { tabindex: 0 }, words)));
  if (output.output_type === "stream") return text(output.text.replace(/[^\n]*\r(?!\n)/g, ""), output.name);
  if (output.output_type === "error") return text(output.traceback.join("\n"), "traceback");
  const { "image/png": png, "text/html": html } = output.data;
  if (png) {
    const book = cell.theirs?.querySelector("img")?.alt;
    const alt = `Figure of your own: ${cell.title}.${book ? ` The book’s figure: ${book}` : ""}`;
    return make("img", { alt, src: `data:image/png;base64,${png}`, ...output.metadata?.["image/png"] });
  }
  if (!html) return text(output.data["text/plain"], "text_plain");
  const table = make("div", { class: "output text_html", tabindex: 0 });
  table.innerHTML = html.replaceAll("<th></th>", "<td></td>");
  return table;
}

/** The book's knob with the reader's figures, if the cell still gives a line and a figure by turns. */
function knobOf(cell) {
  const knob = cell.theirs?.querySelector(".knob");
  const lines = cell.outputs.filter(({ name }) => name === "stdout");
  const figures = cell.outputs.filter(({ data }) => data?.["image/png"]);
  if (!knob || !lines.length || lines.length !== figures.length || lines.length * 2 !== cell.outputs.length) return null;
  const own = knob.cloneNode(true);
  for (const name of ["id", "for", "aria-labelledby"])
    for (const each of [own, ...own.querySelectorAll("*")]) if (each.hasAttribute(name)) each.setAttribute(name, `${each.getAttribute(name)}-own`);
  own.querySelector("input").max = lines.length - 1;
  own.querySelector(".knob-positions").replaceChildren(...lines.map((line, place) =>
    make("figure", { class: "knob-position" }, shown(figures[place], cell), make("figcaption", {}, line.text.trim()))));
  makeKnob(own); // book.js
  return own;
}

// --- cells -------------------------------------------------------------------------------------------------------------------------

const colours = syntaxHighlighting(tagHighlighter([ // the classes that the book's code has
  { tag: tags.keyword, class: "k" }, { tag: [tags.string, tags.operator], class: "o" }, { tag: [tags.number, tags.bool], class: "kt" },
  { tag: tags.comment, class: "c" }, { tag: [tags.function(tags.definition(tags.variableName)), tags.definition(tags.className)], class: "nf" },
]));

class Cell {
  outputs = [];
  ran = false; // in this session of Python

  constructor(box, book, exercise) {
    Object.assign(this, { box, book, exercise, number: cells.push(this), theirs: box.querySelector(".cell_output") });
    this.name = exercise ? `${exercise.id} ${book}` : book;
    this.key = `${hash(this.name)}:${cells.filter((cell) => cell.name === this.name).length}`;
    this.order = cells.filter((cell) => !cell.exercise).length; // among the book's own
    this.title = exercise ? `Your answer to ${exercise.querySelector(".caption-number").textContent.trim()}` : `Cell ${this.order}`;
    const goOn = () => (run([this]), cells[this.number]?.view.focus(), true);
    this.view = new EditorView({
      doc: book,
      extensions: [ // Tab leaves the cell, as it leaves any field
        keymap.of([{ key: "Shift-Enter", run: goOn }, { key: "Mod-Enter", run: () => (run([this]), true) }, ...defaultKeymap, ...historyKeymap]),
        history(), new LanguageSupport(pythonLanguage), indentUnit.of("    "), indentOnInput(), bracketMatching(), colours,
        EditorView.contentAttributes.of({ "aria-label": `${this.title}, code. Shift and Enter run it.`, spellcheck: "false", autocapitalize: "off", tabindex: "0" }),
        EditorView.updateListener.of((update) => update.docChanged && this.edited()),
      ],
    });
    this.view.dom.addEventListener("keydown", (event) => event.stopPropagation()); // else the page takes its shortcuts from them
    this.status = make("span", { class: "live-note" });
    const tool = (words, click) => button(words, click, { "aria-label": `${words}: ${this.title}` });
    this.back = tool("Book’s text", () => (this.text = this.book));
    this.check = exercise && facts.checks[exercise.id]?.code;
    const check = this.check ? [tool("Check", () => ask(this))] : [];
    const input = box.querySelector(".cell_input");
    input.querySelector("div.highlight-python")?.setAttribute("hidden", "");
    input.append(
      make("div", { class: "highlight live-editor" }, this.view.dom),
      make("div", { class: "live-tools" }, tool("Run", () => run([this])), tool("Run up to here", () => runUpTo(this)), ...check, this.back, this.status),
    );
    this.edited();
    if (this.expected) this.say(`Takes about ${this.expected} s in a browser.`);
  }

  get text() { return this.view.state.doc.toString(); }
  set text(text) { this.view.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: text } }); }
  say(...words) { this.status.replaceChildren(...words); }

  edited() {
    this.ran = false;
    this.back.hidden = this.text === this.book;
    if (bar.open) keep(this);
  }

  begin() {
    this.outputs = [];
    this.started = performance.now();
    this.own?.remove();
    this.body = make("div");
    this.label = make("span");
    this.turn = button("", () => this.show(this.body.hidden));
    this.own = make("div", { class: "cell_output docutils container live-own" }, make("div", { class: "live-whose" }, this.label, ...(this.theirs ? [this.turn] : [])), this.body);
    this.box.append(this.own);
    this.show(true);
    this.tick();
  }

  /** Show the reader's output or the book's. */
  show(mine) {
    this.body.hidden = !mine;
    this.label.textContent = mine ? "Your output" : "The book’s output, above";
    this.turn.textContent = mine ? "Show the book’s" : "Show yours";
    if (this.theirs) this.theirs.hidden = mine;
  }

  /** The seconds that the book's text of this cell takes, if they are many. */
  get expected() { return !this.exercise && this.text === this.book && facts.seconds?.[this.order]; }
  tick() { this.say(`Running, ${Math.round((performance.now() - this.started) / 1000)} s${this.expected ? ` of about ${this.expected}` : ""}`); }

  add(output) {
    if (output.output_type === "clear") return (this.outputs = []), this.body.replaceChildren();
    const last = this.outputs.at(-1);
    if (last?.output_type === "stream" && last.name === output.name) {
      last.text += output.text;
      this.body.lastChild.remove();
    } else this.outputs.push(output);
    this.body.append(shown(this.outputs.at(-1), this));
  }

  end(words, well = false) {
    this.ran = well;
    const knob = knobOf(this);
    if (knob) this.body.replaceChildren(knob);
    this.own.hidden = !this.outputs.length && !this.theirs;
    const early = this.outputs.some(({ ename }) => ename === "NameError") && cells.slice(0, this.number - 1).some((cell) => !cell.ran && cell.text.trim());
    if (this.outputs.some(({ ename, evalue }) => ename === "MemoryError" || /index-sized|too big|Maximum allowed/.test(evalue)))
      words += " Python’s memory in a browser ends at 4 GB. Press Stop, which empties it and keeps what you typed; then use less of it, such as fewer rows.";
    this.say(...(early ? ["This cell needs earlier ones, which have not run. ", button("Run up to here", () => runUpTo(this))] : [words]));
    const figures = this.body.querySelectorAll("img").length;
    say(`${this.title}: ${words}${figures ? ` Figures: ${figures}.` : ""}`);
  }
}

// --- Python ------------------------------------------------------------------------------------------------------------------------

function start() {
  ready = running = undefined;
  for (const cell of cells) cell.ran = false;
  bar.classList.add("live-loading");
  worker = new Worker(new URL("worker.js", import.meta.url), { type: "module", name: imports });
  worker.onerror = () => failed("Python did not arrive. Reload the page when you are online, and try again; what you typed stays.");
  worker.onmessage = ({ data }) => {
    if (data.loaded) {
      Object.assign(bar.progress, { max: data.total, value: data.loaded });
      bar.count.textContent = `${Math.round(data.loaded / 1e6)} of ${Math.round(data.total / 1e6)} MB: ${data.name.replace(/.*\/|\.bin$/g, "")}`;
    } else if (data.starting) {
      bar.progress.removeAttribute("value");
      bar.count.textContent = "all is there; Python starts";
    } else if (data.ready) {
      ready = true;
      bar.classList.remove("live-loading");
      const differing = Object.entries(facts.differs ?? {}).map(([number, why]) => ` Cell ${number} shows something else than the book: ${why}.`);
      say(`Python is ready. Your browser runs ${versions}.${differing.join("")}`);
      next();
    } else if (data.output) running?.add(JSON.parse(data.output));
    else if (data.ended) ended(data);
    else if (data.checked) judged(cells[data.checked - 1], data.hint ? `Not yet. ${data.hint}` : "Right.");
    else if (data.failed) failed(data.failed);
    else say(data.warning);
  };
}

function failed(words) {
  worker.terminate();
  worker = ready = undefined; // the next cell that is run starts it again
  drop("Python has stopped.");
  bar.classList.remove("live-loading");
  say(`${words} `, button("Start again", () => (say("Python starts once more."), start())));
}

/** Empty the queue. */
function drop(words) {
  running?.end(words);
  running = undefined;
  for (const cell of waiting.splice(0)) cell.say("");
}

function ended({ well, count }) {
  const cell = running;
  running = undefined;
  cell.count = count;
  cell.end(`${well ? "Ran" : "Stopped by an error"} after ${((performance.now() - cell.started) / 1000).toFixed(1)} s.`, well);
  if (!well && waiting.length) {
    drop();
    say(`${cell.title} stopped with an error, so the cells after it did not run. `, button("Go there", () => cell.view.focus()));
  }
  next();
}

function next() {
  if (!ready || running || !waiting.length) return;
  running = waiting.shift();
  running.begin();
  worker.postMessage({ cell: running.number, code: running.text });
}

function run(chosen) {
  if (!worker) start();
  for (const cell of chosen) {
    if (!cell.text.trim() || (cell.exercise && cell.text === cell.book && chosen.length > 1) || waiting.includes(cell)) continue;
    waiting.push(cell);
    cell.say(ready ? "Waiting for the cells before it" : "Waiting for Python");
  }
  next();
}

const runUpTo = (last) => run(cells.slice(0, last.number));

function stop() {
  worker?.terminate();
  drop("Stopped.");
  start();
  say("Stopped. Python starts anew: its variables are gone, what you typed stays.");
}

function ask(cell) {
  if (!ready || running) return judged(cell, "Python is busy: ask again when it has done.");
  if (!cell.ran) run([cell]);
  worker.postMessage({ check: cell.number, code: cell.check });
}

const judged = (cell, words) => (cell.say(words), say(`${cell.title}: ${words}`));

// --- the page ----------------------------------------------------------------------------------------------------------------------

const source = () => new URL(`_sources/chapters/${facts.notebook}`, root).href;

/** Save the chapter's notebook with the reader's text and outputs. */
async function save() {
  const notebook = await (await fetch(source())).json();
  const theirs = cells.filter((cell) => !cell.exercise);
  notebook.cells = notebook.cells.flatMap((cell) => {
    const source = [cell.source].flat().join("");
    const label = cell.cell_type === "markdown" && /^:label: (\S+)/m.exec(source)?.[1];
    const answer = label && cells.find((each) => each.exercise?.id === label && each.text !== each.book);
    if (answer) return [cell, { cell_type: "code", id: `answer-${answer.number}`, metadata: {}, execution_count: answer.count ?? null, source: answer.text, outputs: answer.outputs }];
    if (cell.cell_type !== "code" || !source.trim() || cell.metadata.check || cell.id === "opened-alone") return [cell];
    const mine = theirs.shift();
    if (!mine.count && mine.text === mine.book) return [cell];
    return [{ ...cell, source: mine.text, outputs: mine.outputs, execution_count: mine.count ?? null }];
  });
  delete notebook.metadata.executed_with; // it tells of the book's own outputs
  const blob = new Blob([JSON.stringify(notebook, null, 1)]);
  make("a", { href: URL.createObjectURL(blob), download: facts.notebook.replace(".ipynb", "-mine.ipynb") }).click();
  say("The notebook with what you typed is saved.");
}

function restore() {
  for (const cell of cells) {
    if (cell.text !== cell.book) cell.text = cell.book;
    if (cell.own) cell.show(false);
  }
  say("The page shows the book’s text and outputs again. In a cell, Ctrl and Z bring your text back.");
}

/** Let the page be there without a network, where the browser can. */
async function keepOffline() {
  if (!(await navigator.serviceWorker?.register(new URL("offline.js", root)).catch(() => {}))) return;
  // One that is only about to work would not see what is fetched here.
  if (!navigator.serviceWorker.controller) await new Promise((done) => navigator.serviceWorker.addEventListener("controllerchange", done, { once: true }));
  const used = performance.getEntriesByType("resource").map(({ name }) => name);
  used.push(location.href.split("#")[0], source(), ...["worker.js", "fetch.js"].map((name) => new URL(name, import.meta.url).href), ...[...document.images].map(({ src }) => src));
  for (const address of used) if (address.startsWith(root.href) && !/\/live\/(python|book)-/.test(address)) fetch(address).catch(() => {});
}

export async function begin(line) {
  bar = line;
  const get = async (name) => (await fetch(new URL(name, import.meta.url))).json();
  const [chapters, files] = await Promise.all([get("chapters.json"), get("files.json")]);
  facts = chapters[bar.dataset.live];
  versions = files.versions;
  bar.status = make("span", { role: "status" });
  bar.progress = make("progress", { "aria-label": "Fetching Python" });
  bar.count = make("span");
  const tools = [["Run all", () => run(cells)], ["Stop", stop], ["Book’s page", restore], ["Save notebook", save]].map((each) => button(...each));
  bar.replaceChildren(make("div", { class: "live-tools" }, ...tools), make("div", { class: "live-load" }, bar.progress, bar.count), bar.status);
  bar.role = "region";
  bar.ariaLabel = "Python on this page";
  const code = [...document.querySelectorAll("article .cell_input pre")].map((box) => box.textContent).join("\n");
  imports = /^\s*(from|import) (sklearn|scipy)/m.test(code) ? "scipy.stats sklearn.mixture" : "";
  say("Python is being fetched and started. You can read on, and edit.");
  start(); // beside what follows
  for (const box of document.querySelectorAll("article div.cell, article .exercise.admonition")) {
    const code = box.querySelector(".cell_input pre");
    if (code) new Cell(box, code.textContent.replace(/\n$/, ""));
    else if (box.matches(".exercise")) {
      const empty = make("div", { class: "cell docutils container live-answer" }, make("div", { class: "cell_input docutils container" }));
      box.after(empty);
      new Cell(empty, facts.checks[box.id]?.starter ?? "", box);
    }
  }
  bar.open = true; // from here on, what changes is kept
  try { recall(); } catch { forgetful = true; }
  setInterval(() => running?.tick(), 1000);
  tools[0].focus();
  keepOffline();
}
