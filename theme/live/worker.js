// Python in a worker of its own, so that the page stays quick and an endless loop can be ended. page.js talks to it:
// it sends { cell, code } or { check, code }, and is told what is fetched, each output, and the end of each cell.
// What its name lists is imported at once, because the page's cells will ask for it.
const say = (message) => self.postMessage(message);
const plainFetch = self.fetch; // Pyodide gets another one below
const opened = self.caches?.open("live").catch(() => undefined); // what the browser keeps: see fetch.js
const started = new URL("started", import.meta.url).href; // there, Python's memory when it had started; no such file is on the site
const lastLine = (error) => String(error?.message ?? error).trim().split("\n").pop();

class Told extends Error {} // its message is for the reader as it stands

// Put an archive's files into Python's file system; return their paths. Compiled modules are views of the archive, which goes with them.
function unpack(tar, FS) {
  const text = (from, length) => new TextDecoder().decode(tar.subarray(from, from + length)).replace(/\0.*$/s, "");
  const paths = [];
  for (let at = 0; at + 512 <= tar.length && tar[at]; ) {
    const prefix = text(at + 345, 155);
    const path = `/${prefix && `${prefix}/`}${text(at, 100)}`;
    const size = parseInt(text(at + 124, 12), 8);
    FS.mkdirTree(path.slice(0, path.lastIndexOf("/")));
    const data = tar.subarray(at + 512, at + 512 + size);
    FS.writeFile(path, path.endsWith(".so") ? data : data.slice(), { canOwn: true });
    paths.push(path);
    at += 512 + 512 * Math.ceil(size / 512);
  }
  return paths;
}

// Load all compiled modules, in the order of the archive and before Python itself: so they lie at the same place every time, and
// Python's memory can be kept and put back. All at once is faster, too, than one by one when Python asks for them.
async function loadModules({ API, FS, LDSO, getFunctionAddress, addFunction, reportUndefinedSymbols }, paths) {
  await API.loadDynlib("/usr/lib/libopenblas.so", false); // SciPy's modules name it, and would not find it there
  for (const path of paths.filter((path) => path.endsWith(".so"))) {
    await API.loadDynlib(path, false);
    for (const [name, begin] of Object.entries(LDSO.loadedLibsByName[path].exports))
      if (name.startsWith("PyInit_") && !getFunctionAddress(begin)) addFunction(begin, begin.sig);
    FS.truncate(path, 0); // Python only looks whether it is there
  }
  reportUndefinedSymbols();
}

const files = {}; // what has arrived, and `folder`, where Python is on the site
const store = new Worker(new URL("fetch.js", import.meta.url), { type: "module" });
let failure, look = () => {};
store.onmessage = ({ data }) => {
  if (data.files) Object.assign(files, data.files);
  else if (data.failed) failure = new Told(data.failed);
  else say(data);
  look();
};
store.onerror = () => store.onmessage({ data: { failed: "Python did not arrive. Reload the page when you are online, and try again; what you typed stays." } });

async function arrived(...names) {
  while (!failure && !names.every((name) => name in files)) await new Promise((done) => (look = done));
  if (failure) throw failure;
}

// Python's memory, whole and as this very browser has kept it.
async function earlier() {
  const found = await (await opened)?.match(started).catch(() => undefined);
  if (found?.headers.get("User-Agent") !== navigator.userAgent) return undefined;
  const used = new Uint8Array(await found.arrayBuffer());
  if (used.length !== Number(found.headers.get("Used"))) return undefined;
  const memory = new Uint8Array(Number(found.headers.get("Size")));
  memory.set(used);
  return memory;
}

async function start() {
  files.memory = await earlier();
  await arrived("folder", "python_stdlib.zip"); // with the other files of Pyodide, which come before it
  // Pyodide asks for its files by itself: it is given those that were checked. Its scripts are modules, fetched as such.
  self.fetch = async (address, settings) => {
    const name = String(address?.url ?? address).replace(/.*\//, "");
    const type = name.endsWith(".wasm") ? "application/wasm" : "application/json";
    return name in files ? new Response(files[name], { headers: { "Content-Type": type } }) : plainFetch(address, settings);
  };
  const { loadPyodide } = await import(`${files.folder}pyodide.js`);
  await import(`${files.folder}pyodide.asm.js`);
  const create = self._createPyodideModule;
  const python = await new Promise((done, failed) => {
    const prepare = async (module) => {
      module.addRunDependency("modules");
      await arrived("modules");
      await loadModules(module, unpack(files.modules, module.FS));
      await arrived("packages", "book"); // in the meantime
      store.terminate();
      say({ starting: true });
      for (const archive of [files.packages, files.book]) unpack(archive, module.FS);
      module.removeRunDependency("modules");
    };
    self._createPyodideModule = (settings) =>
      create({ INITIAL_MEMORY: 176 * 2 ** 20, ...settings, preRun: [...settings.preRun, (module) => void prepare(module).catch(failed)] });
    loadPyodide({ indexURL: files.folder, _makeSnapshot: true, _loadSnapshot: files.memory }).then(done, failed);
  });
  const putBack = !!files.memory;
  for (const name in files) delete files[name]; // what was made of them stays, not they: 0.3 GB
  delete python._api.config._loadSnapshot;
  python.FS.mkdirTree("/book/chapters");
  python.FS.chdir("/book/chapters");
  const { wasmTable } = python._module;
  const laid = wasmTable.length;
  if (!putBack) python.runPython("import sys; sys.path.insert(0, '/book')");
  const kernel = python.pyimport("kernel");
  const renewed = kernel.prepare(self.name);
  if ((renewed || !putBack) && wasmTable.length === laid) { // else what was loaded just now might lie elsewhere the next time
    const taken = python.makeMemorySnapshot();
    let used = taken.length;
    while (!taken[used - 1]) used--; // about half of it, or more, has never been written to
    const headers = { "User-Agent": navigator.userAgent, Size: taken.length, Used: used };
    const kept = new Response(new Blob([taken.subarray(0, used)]), { headers }); // a blob is the browser's to hold, not this page's
    opened?.then((cache) => cache?.put(started, kept)).catch(() => {}); // without it the next start takes longer, that is all
  }
  kernel.tell = (output) => say({ output });
  kernel.wake();
  return { run: kernel.run, check: kernel.check };
}

const kernel = start();
kernel.then(
  () => say({ ready: true }),
  async (error) => {
    if (!(error instanceof Told)) await opened?.then((cache) => cache?.delete(started)); // should it be to blame
    say({ failed: error instanceof Told ? error.message : `Python did not start (${lastLine(error)}). Reload the page and try again; if it stays so, another browser may do.` });
  },
);

self.onmessage = async ({ data: { cell, code, check } }) => {
  const { run, check: judge } = await kernel;
  try {
    say(check === undefined ? { ended: cell, ...JSON.parse(run(code)) } : { checked: check, hint: judge(code) });
  } catch (error) { // not the cell's own fault: Python itself has stopped, most likely for want of memory
    say({ failed: `Python has stopped: ${lastLine(error)}. Your browser may have no more memory for it. What you typed stays; press Start again.` });
  }
};
