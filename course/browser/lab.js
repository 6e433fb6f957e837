"use strict";
(function () {
  const at = (id) => document.getElementById(id);
  const embedded = (id) => JSON.parse(at(id).textContent);
  const sources = embedded("sources"), curves = embedded("curves");
  const cells = [...document.querySelectorAll(".code-cell")];
  const layer = at("layer"), size = at("size"), say = (text) => { at("status").textContent = text; };
  const made = document.querySelector("[data-python]") !== null;
  const percent = (value) => (100 * value).toFixed(1) + "%";
  let worker = null, waiting = new Map(), blobs = null;

  // Python's files, read and unpacked when they are first wanted.
  async function unpacked() {
    const script = document.createElement("script"), found = {};
    script.src = "pyodide-files.js";
    await new Promise((resolve, reject) => {
      script.onload = resolve;
      script.onerror = () => reject(new Error("the file pyodide-files.js is missing beside this page"));
      document.head.append(script);
    });
    for (const [name, text] of Object.entries(self.pyodideFiles)) {
      const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
      const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
      const type = name.endsWith(".wasm") ? "application/wasm" : "text/javascript";
      found[name] = new Blob([await new Response(plain).arrayBuffer()], { type });
    }
    return found;
  }

  function cannot() {
    if (!made) return "This page was made without Python: its cells can be read, and not run.";
    if (!self.WebAssembly || !self.DecompressionStream || !self.Worker) {
      return "This browser is too old to run Python: it takes one of 2023 or later.";
    }
    return "";
  }

  function lost(why) {
    at("missing-why").textContent = why;
    at("missing").hidden = false;
    say("");
    for (const button of document.querySelectorAll(".needs-python")) button.disabled = true;
  }

  async function started() {
    say("Starting Python ...");
    blobs = blobs || await unpacked();
    const text = at("worker").textContent;
    worker = new Worker(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
    const answered = new Promise((resolve, reject) => {
      worker.onerror = (event) => reject(new Error(event.message || "its thread did not start"));
      worker.onmessage = ({ data }) => {
        if (data.ready) resolve();
        else if (waiting.has(data.number)) { waiting.get(data.number)(data); waiting.delete(data.number); }
        else reject(new Error(data.failed));
      };
    });
    worker.postMessage({ blobs, sources, layers: at("layers").textContent });
    await answered;
  }

  let starting = null;
  function python() {
    starting = starting || started();
    return starting;
  }

  let number = 0;
  async function evaluated(code, place) {
    await python();
    number += 1;
    return new Promise((resolve) => {
      waiting.set(number, resolve);
      worker.postMessage({ code, place, number, chosen: layer.value });
    });
  }

  function stop() {
    if (worker) worker.terminate();
    worker = starting = null;
    const told = { printed: "", error: "Stopped. Python starts anew: run the cells above again.", seconds: 0 };
    waiting.forEach((resolve) => resolve(told));
    waiting = new Map();
  }

  async function run(cell) {
    const printed = cell.querySelector(".printed"), verdict = cell.querySelector(".said");
    const place = cell.dataset.place;
    at("stop").disabled = false;
    cell.classList.add("running");
    let done;
    try {
      await python();
      say("Running " + place + " ...");
      done = await evaluated(cell.querySelector("textarea").value + "\n" + (cell.dataset.check || ""), place);
      if (done.failed) throw new Error(done.failed);
    } catch (error) {
      starting = null;
      lost("Python did not start: " + error.message);
      return false;
    } finally {
      at("stop").disabled = true;
      cell.classList.remove("running");
    }
    printed.textContent = done.printed;
    printed.hidden = !done.printed;
    verdict.textContent = done.error;
    verdict.hidden = !done.error;
    cell.dataset.state = done.error ? "wrong" : "right";
    if (done.shown) {
      curves[done.shown.name] = { ...done.shown, here: true };
      show();
    }
    say(place + (done.error ? ": see what it says." : ": done in " + done.seconds.toFixed(1) + " s."));
    return !done.error;
  }

  async function runAll() {
    const began = performance.now();
    for (const cell of cells.filter((one) => !one.dataset.check)) {
      if (!await run(cell)) return;
    }
    say("All cells done in " + ((performance.now() - began) / 1000).toFixed(1) + " s.");
  }

  // The drawing, and the numbers at k.
  const svg = "http://www.w3.org/2000/svg";
  function element(name, attributes, text) {
    const made = document.createElementNS(svg, name);
    Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function show() {
    const one = curves[layer.value], k = Number(size.value), d = one.cka.mean.length;
    const full = one.accuracy.mean[d - 1];
    const words = k + " of " + d + " neurons (" + percent(k / d) + ")";
    at("k").textContent = words;
    size.setAttribute("aria-valuetext", words);
    at("cka").textContent = one.cka.mean[k - 1].toFixed(3) + " (" + one.cka.low[k - 1].toFixed(3) + " to " +
      one.cka.high[k - 1].toFixed(3) + ")";
    at("accuracy").textContent = percent(one.accuracy.mean[k - 1]) + ", " +
      percent(one.accuracy.mean[k - 1] / full) + " of the whole layer's " + percent(full);
    at("dr").textContent = ["accuracy", "cka"].map((key) =>
      (key === "cka" ? "CKA " : "accuracy ") + (1 - one[key].k_star / d).toFixed(2) + " (k* = " + one[key].k_star + ")").join(", ");
    at("made").textContent = one.here
      ? "Computed here, by the cells below." : "Computed when this page was made" + (made ? "; run the cells to compute them here." : ".");
    draw(one, k, d, full);
  }

  function draw(one, k, d, full) {
    const left = 52, right = 590, top = 12, bottom = 215;
    const x = (n) => left + (right - left) * (n - 1) / (d - 1);
    const y = (value) => bottom - (bottom - top) * Math.min(1.05, Math.max(0, value)) / 1.05;
    const points = (values, scale) => values.map((value, i) => x(i + 1).toFixed(1) + " " + y(value / scale).toFixed(1));
    const band = (part, scale) => "M" + points(part.high, scale).concat(points(part.low, scale).reverse()).join("L") + "Z";
    const line = (part, scale) => "M" + points(part.mean, scale).join("L");
    const curve = at("curve");
    curve.replaceChildren(at("curve-title"),
      element("line", { x1: left, x2: right, y1: bottom, y2: bottom }),
      element("line", { class: "bar", x1: left, x2: right, y1: y(0.9), y2: y(0.9) }),
      ...[0, 0.5, 0.9, 1].map((value) => element("text", { x: left - 8, y: y(value) + (value === 0.9 ? 12 : 4), "text-anchor": "end" }, value)),
      ...[1, d / 4, d / 2, 3 * d / 4, d].map((n) => element("text", { x: x(n), y: bottom + 24, "text-anchor": n === d ? "end" : "middle" }, n)),
      element("text", { x: (left + right) / 2, y: bottom + 44, "text-anchor": "middle" }, "neurons kept"),
      element("path", { class: "cka band", d: band(one.cka, 1) }),
      element("path", { class: "accuracy band", d: band(one.accuracy, full) }),
      element("path", { class: "cka", d: line(one.cka, 1) }),
      element("path", { class: "accuracy", d: line(one.accuracy, full) }),
      element("line", { class: "here", x1: x(k), x2: x(k), y1: top, y2: bottom }));
  }

  // What is typed outlives the page, where the browser lets it.
  function kept(cell, text) {
    try {
      const name = "redundancy-lab " + cell.dataset.place;
      if (text === undefined) return localStorage.getItem(name);
      if (text === null) localStorage.removeItem(name);
      else localStorage.setItem(name, text);
    } catch { /* it does not */ }
    return null;
  }

  function startOver() {
    for (const cell of cells) {
      cell.querySelector("textarea").value = cell.querySelector("textarea").defaultValue;
      kept(cell, null);
    }
    say("All cells are as they were at first.");
  }

  cells.forEach((cell) => {
    const area = cell.querySelector("textarea"), before = made ? kept(cell) : null;
    if (before !== null) area.value = before;
    area.addEventListener("input", () => kept(cell, area.value));
    area.addEventListener("keydown", (event) => {
      if (made && event.key === "Enter" && (event.ctrlKey || event.metaKey || event.shiftKey)) {
        event.preventDefault();
        run(cell);
      }
    });
    cell.querySelector(".run").addEventListener("click", () => run(cell));
  });
  at("run-all").addEventListener("click", runAll);
  at("stop").addEventListener("click", stop);
  at("start-over").addEventListener("click", startOver);
  layer.addEventListener("change", show);
  size.addEventListener("input", show);
  document.querySelectorAll(".needs-script").forEach((one) => {
    one.hidden = !made && one.id !== "lab";
  });
  if (!made) cells.forEach((cell) => { cell.querySelector("textarea").readOnly = true; });
  show();
  if (cannot()) lost(cannot());
})();
