// All that Python needs, fetched from the site and kept in the browser: a worker of worker.js, so that it unzips beside what
// goes on there, and its own memory goes when it has done. It tells what is fetched, { files } as they are there, or { failed }.
const here = new URL("..", import.meta.url); // the folder `live` of the site
const kept = "live"; // the cache in which a second visit finds everything
const opened = self.caches?.open(kept).catch(() => undefined); // storage may be forbidden, or not safe here
const say = (message, moved = []) => self.postMessage(message, moved);

class Told extends Error {} // its message is for the reader as it stands

// A file of the list, from the browser's own cache or from the site, unzipped if it is one.
async function fetchChecked([name, size, sha256], progress) {
  const address = new URL(name, here).href;
  const cache = await opened;
  const found = await cache?.match(address).catch(() => undefined);
  const response = found ?? (await fetch(address).catch(() => {
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
    const type = { js: "text/javascript", json: "application/json" }[name.replace(/.*\./, "")] ?? "application/octet-stream"; // offline.js gives it as it is here
    await cache?.put(address, new Response(bytes, { headers: { "Content-Type": type } }))
      .catch(() => say({ warning: "Your browser has no room to keep Python, so the next visit fetches it once more." }));
  }
  return bytes;
}

const unzipped = async (bytes) =>
  new Uint8Array(await new Response(new Response(bytes).body.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());

// Hand a file over to worker.js, which can begin with it.
function give(name, bytes) {
  say({ files: { [name.replace(/.*\/|\.bin$/g, "")]: bytes } }, [bytes.buffer]);
}

// What an earlier version of the site has left in the cache.
async function forgetOthers(folders) {
  const cache = await opened;
  for (const { url } of (await cache?.keys()) ?? []) {
    const [, folder] = url.split(here.href);
    if (folder && /^\w+-[0-9a-f]{10}\//.test(folder) && !folders.includes(folder.split("/")[0])) await cache.delete(url);
  }
}

async function fetchAll() {
  const listed = await (await fetch(new URL("files.json", import.meta.url))).json();
  const total = listed.files.reduce((sum, [, size]) => sum + size, 0);
  let loaded = 0;
  const progress = (bytes, name) => say({ loaded: (loaded += bytes), total, name });
  say({ files: { folder: new URL(`${listed.python}/`, here).href } });
  const tidied = forgetOthers([...new Set(listed.files.map(([name]) => name.split("/")[0])), new URL(".", import.meta.url).pathname.split("/").at(-2)]);
  let given;
  for (const [file, arrived] of listed.files.map((file) => [file[0], fetchChecked(file, progress)])) // they come all at once, and
    given = Promise.all([arrived, given]).then(async ([bytes]) => give(file, file.endsWith(".bin") ? await unzipped(bytes) : bytes)); // go in their order
  await Promise.all([tidied, given]);
}

fetchAll().catch((error) => say({ failed: error instanceof Told ? error.message : `Python did not arrive (${error.message}). Reload the page when you are online, and try again; what you typed stays.` }));
