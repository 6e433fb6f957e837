// Python in a thread of its own, so that a cell that never ends can be stopped. Everything it needs
// comes in the first message: this also runs from a file on a stick, without a server.
let ready = null;

// Pyodide wants a worker that can import modules, and takes one that has importScripts for one that
// cannot. This one can, and no other kind starts from a file.
self.importScripts = undefined;

async function start({ blobs, sources, layers }) {
  const urls = {};
  for (const [name, blob] of Object.entries(blobs)) urls[name] = URL.createObjectURL(blob);
  const fetched = self.fetch;
  self.fetch = (address, ...more) => {
    const name = String(address.url || address).split("/").pop();
    return fetched(name in urls ? urls[name] : address, ...more);
  };
  const { loadPyodide } = await import(urls["pyodide.mjs"]);
  const python = await loadPyodide({
    indexURL: "https://files.invalid/", // every file of it is one of those above
    createPyodideModule: (await import(urls["pyodide.asm.mjs"])).default,
    lockFileContents: await blobs["pyodide-lock.json"].text(),
    packageBaseUrl: "https://files.invalid/",
  });
  python.FS.mkdir("/lab");
  for (const [name, text] of Object.entries(sources)) python.FS.writeFile("/lab/" + name, text);
  python.globals.set("layers", layers);
  return python.runPython(
    "import sys\nsys.path.insert(0, '/lab')\nfrom console import Console\nConsole(layers)");
}

self.onmessage = async ({ data }) => {
  try {
    if (data.blobs) {
      ready = start(data);
      await ready;
      self.postMessage({ ready: true });
    } else {
      const console = await ready, began = performance.now();
      const done = JSON.parse(console.run(data.code, data.place, data.chosen));
      self.postMessage({ ...done, number: data.number, seconds: (performance.now() - began) / 1000 });
    }
  } catch (error) {
    self.postMessage({ failed: String(error.message || error), number: data.number });
  }
};
