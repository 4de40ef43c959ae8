// What was fetched once is there without a network: pages as they were last seen, and Python, which worker.js has put there.
const kept = "live";
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  if (method === "GET" && url.startsWith(self.registration.scope)) event.respondWith(answer(event.request));
});

async function answer(request) {
  const address = request.url.split(/[?#]/)[0];
  const cache = await caches.open(kept);
  const found = await cache.match(address);
  const lasting = /\/live\/\w+-[0-9a-f]{10}\//.test(address); // its name tells what is in it, so it is never out of date
  if (found && lasting) return found;
  try {
    const response = await fetch(request);
    if (response.status === 200 && !/\/live\/(python|book)-/.test(address)) cache.put(address, response.clone()).catch(() => {});
    return response;
  } catch (error) {
    if (found) return found;
    throw error;
  }
}
