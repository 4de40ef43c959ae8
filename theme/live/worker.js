// Python in a worker of its own, so that the page stays quick and an endless loop can be ended. page.js talks to it:
// it sends { cell, code } or { check, code }, and is told what is fetched, each output, and the end of each cell.
const here = new URL("..", import.meta.url); // the folder `live` of the site
const say = (message) => self.postMessage(message);
const plainFetch = self.fetch; // Pyodide gets another one below
const kept = "live"; // the cache in which a second visit finds everything

class Told extends Error {} // its message is for the reader as it stands

// A file of the list, from the browser's own cache or from the site; `progress` gets the bytes as they come.
async function fetchChecked([name, size, sha256], progress) {
  const address = new URL(name, here).href;
  const cache = await self.caches?.open(kept).catch(() => undefined); // storage may be forbidden, or not safe here
  const found = await cache?.match(address).catch(() => undefined);
  const response = found ?? (await plainFetch(address).catch(() => {
    throw new Told(`The network was cut while ${name} was fetched. What has arrived is kept: press the button again when you are back online.`);
  }));
  if (!response.ok) throw new Told("The site has been renewed since this page was opened. Reload the page; what you typed stays.");
  const bytes = new Uint8Array(size);
  let at = 0;
  const reader = response.body.getReader();
  for (let part = {}; !part.done; ) {
    part = await reader.read().catch(() => {
      throw new Told(`The network was cut while ${name} was fetched, at ${Math.round((100 * at) / size)} %. Files that arrived whole are kept: press the button again when you are back online.`);
    });
    if (!part.value) continue;
    if (at + part.value.length > size) break;
    bytes.set(part.value, at);
    at += part.value.length;
    progress(part.value.length, name);
  }
  if (!found || at !== size) { // what the cache gives was checked when it was put there
    const digest = self.crypto?.subtle && new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    const hex = digest ? [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("") : sha256;
    if (at !== size || hex !== sha256) {
      await cache?.delete(address);
      throw new Told(`${name} is not the file that this page was made with: the site may be in the middle of a change, or something on the way alters files. Reload the page and try again; what you typed stays.`);
    }
    await cache?.put(address, new Response(bytes, { headers: { "Content-Type": type(name) } }))
      .catch(() => say({ warning: "Your browser has no room to keep Python, so the next visit fetches it once more." }));
  }
  return bytes;
}

const type = (name) => ({ js: "text/javascript", json: "application/json" })[name.replace(/.*\./, "")] ?? "application/octet-stream";
const lastLine = (error) => String(error?.message ?? error).trim().split("\n").pop();

const unzipped = (bytes) => new Response(bytes).body.pipeThrough(new DecompressionStream("gzip"));

// Put an archive's files into Python's file system without copying them: each is a view of the archive.
function unpack(tar, FS) {
  const text = (from, length) => new TextDecoder().decode(tar.subarray(from, from + length)).replace(/\0.*$/s, "");
  for (let at = 0; at + 512 <= tar.length && tar[at]; ) {
    const prefix = text(at + 345, 155);
    const path = `/${prefix && `${prefix}/`}${text(at, 100)}`;
    const size = parseInt(text(at + 124, 12), 8);
    FS.mkdirTree(path.slice(0, path.lastIndexOf("/")));
    FS.writeFile(path, tar.subarray(at + 512, at + 512 + size), { canOwn: true });
    at += 512 + 512 * Math.ceil(size / 512);
  }
}

// What an earlier version of the site has left in the cache.
async function forgetOthers(folders) {
  const cache = await self.caches?.open(kept).catch(() => undefined);
  for (const { url } of (await cache?.keys()) ?? []) {
    const [, folder] = url.split(here.href);
    if (folder && /^\w+-[0-9a-f]{10}\//.test(folder) && !folders.includes(folder.split("/")[0])) cache.delete(url);
  }
}

async function start() {
  const listed = await (await plainFetch(new URL("files.json", import.meta.url))).json();
  const total = listed.files.reduce((sum, [, size]) => sum + size, 0);
  let loaded = 0;
  const progress = (bytes, name) => say({ loaded: (loaded += bytes), total, name });
  const files = {};
  for (const file of listed.files) (files[file[0].replace(/.*\//, "")] = fetchChecked(file, progress)).catch(() => {}); // told where it is awaited
  // Pyodide asks for its files by itself: it is given those that were checked. Its script is a module, fetched as such.
  self.fetch = async (address, settings) => {
    const name = String(address?.url ?? address).replace(/.*\//, "");
    if (name === "pyodide.asm.wasm") return new Response(unzipped(await files["pyodide.asm.wasm.bin"]), { headers: { "Content-Type": "application/wasm" } });
    return name in files ? new Response(await files[name], { headers: { "Content-Type": type(name) } }) : plainFetch(address, settings);
  };
  const folder = new URL(`${listed.python}/`, here).href;
  const { loadPyodide } = await import(`${folder}pyodide.js`);
  const [python, packages, book] = await Promise.all([
    loadPyodide({ indexURL: folder }),
    ...["packages.bin", "book.bin"].map(async (name) => new Uint8Array(await new Response(unzipped(await files[name])).arrayBuffer())),
  ]);
  await Promise.all(Object.values(files));
  say({ starting: true });
  forgetOthers([...new Set(listed.files.map(([name]) => name.split("/")[0])), new URL(".", import.meta.url).pathname.split("/").at(-2)]);
  unpack(packages, python.FS);
  unpack(book, python.FS);
  for (const name in files) delete files[name]; // 57 MB, which the functions made here would hold on to
  python.FS.mkdirTree("/book/chapters");
  await python._api.loadDynlib("/usr/lib/libopenblas.so", false); // SciPy's modules name it, and Python would not look there
  python.globals.set("tell", (output) => say({ output }));
  python.runPython(await (await plainFetch(new URL("kernel.py", import.meta.url))).text());
  return { run: python.globals.get("run"), check: python.globals.get("check") };
}

const kernel = start();
kernel.then(
  () => say({ ready: true }),
  (error) => say({ failed: error instanceof Told ? error.message : `Python did not start (${lastLine(error)}). Reload the page and try again; if it stays so, another browser may do.` }),
);

self.onmessage = async ({ data: { cell, code, check } }) => {
  const { run, check: judge } = await kernel;
  try {
    say(check === undefined ? { ended: cell, ...JSON.parse(run(code)) } : { checked: check, hint: judge(code) });
  } catch (error) { // not the cell's own fault: Python itself has stopped, most likely for want of memory
    say({ failed: `Python has stopped: ${lastLine(error)}. Your browser may have no more memory for it. What you typed stays; press Start again.` });
  }
};
