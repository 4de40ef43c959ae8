// The page as notebook: each cell of code becomes an editor, and Python in a worker runs it. start.js calls `begin`.
import {
  EditorState, EditorView, LanguageSupport, bracketMatching, defaultKeymap, history, historyKeymap, indentOnInput, indentUnit, keymap,
  pythonLanguage, syntaxHighlighting, tagHighlighter, tags,
} from "./codemirror.js";

const root = new URL(document.documentElement.dataset.content_root, location.href);
const cells = []; // those of the book and the empty ones under exercises, in the order of the page
const waiting = []; // cells to run
let bar, facts, worker, ready, running, versions, expects;

/** An element with its attributes, its text or children, and what a click on it does. */
function make(tag, settings = {}, content = [], click) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(settings)) made.setAttribute(name, value);
  made.append(...[content].flat());
  if (tag === "button") made.type = "button";
  if (click) made.addEventListener("click", click);
  return made;
}

const button = (words, click, settings) => make("button", settings, words, click);
/** Say something: seen in the bar, and read out by screen readers. */
const say = (words, ...buttons) => bar.status.replaceChildren(words, ...buttons);

/** A short name of a text, to know it again. */
function hash(text) {
  let value = 5381n;
  for (const letter of text) value = (value * 33n + BigInt(letter.codePointAt(0))) & 0xffffffffffffn;
  return value.toString(36);
}

// --- what the reader typed is kept by page, by the book's text of the cell and, among equal ones, by their order -------------

const page = `live:${location.pathname}:`;
let forgetful = false; // the browser keeps nothing

function keep(cell) {
  try {
    if (cell.text === cell.book) localStorage.removeItem(page + cell.key);
    else localStorage.setItem(page + cell.key, JSON.stringify({ text: cell.text, number: cell.number }));
  } catch {
    if (!forgetful) say("Your browser keeps nothing here: its storage is full or forbidden. Download the notebook before you leave, or what you typed is lost.");
    forgetful = true;
  }
}

/** Bring back what was typed in an earlier visit; where the book's text has changed since, offer both. */
function recall() {
  let stored = [];
  try {
    stored = Object.entries(localStorage).filter(([key]) => key.startsWith(page));
  } catch {
    forgetful = true;
  }
  for (const [key, value] of stored) {
    const { text, number } = JSON.parse(value);
    const same = cells.find((cell) => page + cell.key === key);
    const cell = same ?? cells[Math.min(number, cells.length) - 1];
    if (same) cell.text = text;
    else {
      cell.say("The book's text of this cell has changed since you edited it. ",
        button("Look at yours", () => { cell.text = text; localStorage.removeItem(key); cell.say("This is yours. "); }),
        button("Forget yours", () => { localStorage.removeItem(key); cell.say(""); }));
    }
  }
}

addEventListener("storage", ({ key, newValue }) => {
  const cell = cells.find((each) => page + each.key === key);
  const text = newValue ? JSON.parse(newValue).text : cell?.book;
  if (cell && text !== cell.text) cell.say("This cell was edited in another tab. ", button("Take what stands there", () => { cell.text = text; cell.say(""); }));
});
addEventListener("beforeunload", (event) => forgetful && cells.some((cell) => cell.text !== cell.book) && event.preventDefault());

// --- outputs, in the book's look -----------------------------------------------------------------------------------------------

function picture(output, cell) {
  const { width, height } = output.metadata?.["image/png"] ?? {};
  const book = cell.box.querySelector(".cell_output:not(.live-own) img")?.alt;
  const alt = `Figure of your own: ${cell.title}.${book ? ` The book's own: ${book}` : ""}`;
  return make("img", { alt, src: `data:image/png;base64,${output.data["image/png"]}`, ...(width && { width, height }) });
}

function shown(output, cell) {
  const text = (words, kind) => make("div", { class: `output ${kind}` }, make("div", { class: "highlight" }, make("pre", { tabindex: 0 }, words)));
  if (output.output_type === "stream") return text(output.text.replace(/[^\n]*\r(?!\n)/g, ""), output.name === "stderr" ? "stderr" : "stream");
  if (output.output_type === "error") return text(output.traceback.join("\n"), "traceback");
  if (output.data["image/png"]) return picture(output, cell);
  if (!output.data["text/html"]) return text(output.data["text/plain"], "text_plain");
  const html = make("div", { class: "output text_html", tabindex: 0 });
  html.innerHTML = output.data["text/html"].replaceAll("<th></th>", "<td></td>");
  return html;
}

/** The book's knob with the reader's figures, if the cell still gives a line and a figure by turns. */
function knobOf(cell) {
  const knob = cell.box.querySelector(".cell_output:not(.live-own) .knob");
  const [lines, figures] = [0, 1].map((part) => cell.outputs.filter((_, place) => place % 2 === part));
  if (!knob || lines.length !== figures.length || !lines.length || !figures.every((each) => each.data?.["image/png"]) || !lines.every((each) => each.name === "stdout")) return null;
  const own = knob.cloneNode(true);
  for (const each of own.querySelectorAll("[id]")) each.id += "-own";
  for (const name of ["for", "aria-labelledby"]) for (const each of [own, ...own.querySelectorAll(`[${name}]`)]) if (each.hasAttribute(name)) each.setAttribute(name, `${each.getAttribute(name)}-own`);
  const slider = own.querySelector("input");
  slider.max = lines.length - 1;
  own.querySelector(".knob-positions").replaceChildren(...lines.map((line, place) =>
    make("figure", { class: "knob-position" }, [picture(figures[place], cell), make("figcaption", {}, line.text.trim())])));
  makeKnob(own); // book.js
  return own;
}

// --- cells -----------------------------------------------------------------------------------------------------------------------

const colours = syntaxHighlighting(tagHighlighter([ // the classes that the book's code has
  { tag: tags.keyword, class: "k" }, { tag: [tags.string, tags.operator, tags.special(tags.string)], class: "o" }, { tag: [tags.number, tags.bool], class: "kt" },
  { tag: tags.comment, class: "c" }, { tag: [tags.function(tags.definition(tags.variableName)), tags.definition(tags.className)], class: "nf" },
]));

class Cell {
  outputs = [];
  ran = false; // in this session of Python

  constructor(box, { book, exercise }) {
    Object.assign(this, { box, book, exercise, number: cells.push(this) });
    const name = exercise ? `${exercise.id} ${book}` : book;
    this.key = `${hash(name)}:${cells.filter((cell) => cell.name === name).length}`;
    this.name = name;
    this.order = cells.filter((cell) => !cell.exercise).length; // among the book's own
    this.title = exercise ? `Your answer to ${exercise.querySelector(".caption-number").textContent.trim()}` : `Cell ${this.order}`;
    const keys = [
      { key: "Shift-Enter", run: () => (run([this]), cells[this.number]?.view.focus(), true) },
      { key: "Mod-Enter", run: () => (run([this]), true) },
    ];
    this.view = new EditorView({
      doc: book,
      extensions: [
        keymap.of([...keys, ...defaultKeymap, ...historyKeymap]), // Tab leaves the cell, as it leaves any field
        history(), new LanguageSupport(pythonLanguage), indentUnit.of("    "), indentOnInput(), bracketMatching(), colours,
        EditorView.contentAttributes.of({ "aria-label": `${this.title}, code. Shift and Enter run it.`, spellcheck: "false", autocapitalize: "off" }),
        EditorView.updateListener.of((update) => update.docChanged && this.edited()),
      ],
    });
    this.view.dom.addEventListener("keydown", (event) => event.stopPropagation()); // else the page takes its shortcuts from them
    this.status = make("span", { class: "live-note" });
    this.back = button("Book’s text", () => { this.text = this.book; }, { hidden: "" });
    const aria = (words) => ({ "aria-label": `${words}: ${this.title}` });
    const tools = make("div", { class: "live-tools" }, [button("Run", () => run([this]), aria("Run")), button("Run up to here", () => runUpTo(this), aria("Run up to here")), this.back, this.status]);
    const input = box.querySelector(".cell_input");
    input.querySelector("div.highlight-python")?.setAttribute("hidden", "");
    input.append(make("div", { class: "highlight live-editor" }, this.view.dom), tools);
    this.check = exercise && facts.checks[exercise.id];
    if (this.check) this.back.before(button("Check", () => ask(this), aria("Check")));
  }

  get text() { return this.view.state.doc.toString(); }
  set text(text) { this.view.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: text } }); }
  say(...words) { this.status.replaceChildren(...words); }

  edited() {
    this.back.hidden = this.text === this.book;
    keep(this);
  }

  begin() {
    this.outputs = [];
    this.started = performance.now();
    this.own?.remove();
    this.own = make("div", { class: "cell_output docutils container live-own" });
    const theirs = this.box.querySelector(".cell_output:not(.live-own)");
    this.turn = theirs && button("", () => this.show(!theirs.hidden), {});
    this.show = (mine) => {
      if (!theirs) return;
      theirs.hidden = mine;
      this.body.hidden = !mine;
      this.label.textContent = mine ? "Your output" : "The book’s output";
      this.turn.textContent = mine ? "Show the book’s" : "Show yours";
      if (!mine) this.own.before(theirs);
    };
    this.label = make("span", {}, "Your output");
    this.body = make("div", { class: "live-body" });
    this.own.append(make("div", { class: "live-whose" }, [this.label, ...(this.turn ? [this.turn] : [])]), this.body);
    this.box.append(this.own);
    this.show(true);
    this.tick();
  }

  tick() {
    const seconds = Math.round((performance.now() - this.started) / 1000);
    const expected = !this.exercise && this.text === this.book && expects[this.order];
    this.say(seconds || expected ? `Running, ${seconds} s${expected ? ` of about ${expected} (as measured for the book)` : ""} ` : "Running ");
  }

  add(output) {
    if (output.output_type === "clear") this.outputs = [];
    const last = this.outputs.at(-1);
    if (last?.output_type === "stream" && last.name === output.name) last.text += output.text;
    else if (output.output_type !== "clear") this.outputs.push(output);
    else return this.body.replaceChildren();
    if (last === this.outputs.at(-1)) this.body.lastChild.remove();
    this.body.append(shown(this.outputs.at(-1), this));
  }

  end(words, well) {
    this.ran = well;
    const knob = knobOf(this);
    if (knob) this.body.replaceChildren(knob);
    this.own.hidden = !this.outputs.length && !this.turn;
    const missing = this.outputs.some((output) => output.ename === "NameError") && cells.slice(0, this.number - 1).some((cell) => !cell.ran && cell.text.trim());
    if (missing) this.say("This cell needs earlier ones, which have not run. ", button("Run up to here", () => runUpTo(this)));
    else this.say(words);
    const figures = this.body.querySelectorAll("img").length;
    say(`${this.title}: ${words}${figures ? ` It drew ${figures === 1 ? "a figure" : `${figures} figures`}.` : ""}`);
  }
}

// --- Python ----------------------------------------------------------------------------------------------------------------------

function start() {
  ready = running = undefined;
  for (const cell of cells) cell.ran = false;
  worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  worker.onerror = () => failed("Python did not arrive. Reload the page when you are online, and try again; what you typed stays.");
  worker.onmessage = ({ data }) => {
    if (data.loaded) {
      bar.progress.max = data.total;
      bar.progress.value = data.loaded;
      bar.count.textContent = `${(data.loaded / 1e6).toFixed(0)} of ${(data.total / 1e6).toFixed(0)} MB: ${data.name.replace(/.*\/|\.bin$/g, "")}`;
    } else if (data.starting) {
      bar.progress.removeAttribute("value");
      bar.count.textContent = "all is there; Python starts";
    } else if (data.ready) {
      ready = true;
      bar.classList.remove("live-loading");
      say(`Python is ready. Your browser runs ${versions}.${facts.differs ? ` With these versions some outputs differ a little from the book’s: cells ${Object.keys(facts.differs).join(", ")}.` : ""}`);
      next();
    } else if (data.output) running.add(JSON.parse(data.output));
    else if (data.ended) ended(data);
    else if (data.checked) cells[data.checked - 1].say(data.hint ? `Not yet. ${data.hint}` : "Right."), say(data.hint ? `Not yet. ${data.hint}` : "Right.");
    else if (data.warning) say(data.warning);
    else if (data.failed) failed(data.failed);
  };
  bar.classList.add("live-loading");
  say("Python is being fetched and started. You can read on, and edit.");
}

function failed(words) {
  worker.terminate();
  drop("Python has stopped.");
  bar.classList.remove("live-loading");
  say(words, " ", button("Start again", start));
}

/** Empty the queue, and say so in the cells that stood in it. */
function drop(words) {
  running?.end(words, false);
  for (const cell of waiting.splice(0)) cell.say("");
  running = undefined;
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
  for (const cell of chosen) {
    if (!cell.text.trim() || waiting.includes(cell)) continue;
    waiting.push(cell);
    cell.say(ready ? "Waiting for the cells before it" : "Waiting for Python");
  }
  next();
}

const runUpTo = (last) => run(cells.slice(0, last.number));

function stop() {
  worker.terminate();
  drop("Stopped.");
  start();
  say("Stopped. Python starts anew: its variables are gone, what you typed stays.");
}

function ask(cell) {
  if (!cell.ran) run([cell]);
  worker.postMessage({ check: cell.number, code: cell.check.code });
}

// --- the page --------------------------------------------------------------------------------------------------------------------

/** Save the chapter's notebook with the reader's text and outputs. */
async function download() {
  const notebook = await (await fetch(new URL(`_sources/chapters/${facts.notebook}`, root))).json();
  const source = (cell) => [cell.source].flat().join("");
  const theirs = cells.filter((cell) => !cell.exercise);
  let at = 0;
  notebook.cells = notebook.cells.flatMap((cell) => {
    const label = /^:label: (\S+)/m.exec(cell.cell_type === "markdown" ? source(cell) : "")?.[1];
    const answer = label && cells.find((each) => each.exercise?.id === label && each.text.trim());
    if (answer) return [cell, { cell_type: "code", id: `answer-${answer.number}`, metadata: {}, execution_count: answer.count ?? null, source: answer.text, outputs: answer.outputs }];
    if (cell.cell_type !== "code" || !source(cell).trim() || cell.metadata.tags?.includes("remove-cell")) return [cell];
    const mine = theirs[at++];
    const outputs = mine.count ? mine.outputs : mine.text === mine.book ? cell.outputs : [];
    return [{ ...cell, source: mine.text, outputs, execution_count: mine.count ?? (outputs.length ? cell.execution_count : null) }];
  });
  delete notebook.metadata.executed_with; // it tells of the book's outputs
  const link = make("a", { href: URL.createObjectURL(new Blob([JSON.stringify(notebook, null, 1)])), download: facts.notebook.replace(".ipynb", "-mine.ipynb") });
  link.click();
  say("The notebook with what you typed is saved.");
}

function restore() {
  const edited = cells.filter((cell) => cell.text !== cell.book);
  for (const cell of edited) cell.text = cell.book;
  for (const cell of cells) if (cell.own) cell.own.remove(), (cell.box.querySelector(".cell_output") ?? {}).hidden = false;
  say(`The page shows the book’s text and outputs again. Undo (Ctrl+Z) in a cell brings yours back: ${edited.length} cells.`);
}

/** Let the page be there without a network, where the browser can. */
async function keepOffline() {
  await navigator.serviceWorker?.register(new URL("offline.js", root)).catch(() => {});
  if (!(await navigator.serviceWorker?.getRegistration())) return;
  await navigator.serviceWorker.ready;
  const seen = performance.getEntriesByType("resource").map(({ name }) => name);
  for (const name of ["worker.js", "kernel.py", "files.json"]) seen.push(new URL(name, import.meta.url).href);
  for (const address of [location.href.split("#")[0], ...seen, ...[...document.images].map((image) => image.src)]) {
    if (address.startsWith(root.href) && !/\/live\/(python|book)-/.test(address)) fetch(address).catch(() => {});
  }
}

export async function begin(line) {
  bar = line;
  const get = async (name) => (await fetch(new URL(name, import.meta.url))).json();
  const [chapters, files] = await Promise.all([get("chapters.json"), get("files.json")]);
  facts = chapters[bar.dataset.live];
  versions = files.versions;
  expects = facts.seconds ?? {};
  bar.status = make("span", { role: "status" });
  bar.progress = make("progress", { "aria-label": "Fetching Python" });
  bar.count = make("span", { class: "live-count" });
  bar.setAttribute("role", "region");
  bar.setAttribute("aria-label", "Python on this page");
  const everything = button("Run all", () => run(cells));
  bar.replaceChildren(
    make("div", { class: "live-tools" }, [everything, button("Stop", stop), button("Book’s page", restore), button("Save notebook", download)]),
    make("div", { class: "live-load" }, [bar.progress, bar.count]), bar.status,
  );
  for (const box of document.querySelectorAll("article div.cell, article .exercise.admonition")) {
    if (box.matches(".exercise")) {
      const empty = make("div", { class: "cell docutils container live-answer" }, make("div", { class: "cell_input docutils container" }));
      box.after(empty);
      new Cell(empty, { book: facts.checks[box.id]?.starter ?? "", exercise: box });
    } else if (box.querySelector(".cell_input pre")) new Cell(box, { book: box.querySelector(".cell_input pre").textContent.replace(/\n$/, "") });
  }
  recall();
  setInterval(() => running?.tick(), 1000);
  start();
  everything.focus();
  keepOffline();
}
