"use strict";
(function () {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const form = at("explorer"), size = at("size");
  const wanted = { net: null, task: null, selection: null, share: 0.2 };
  const percent = (value) => (100 * value).toFixed(1) + "%";
  const svg = "http://www.w3.org/2000/svg";

  const unique = (values) => [...new Set(values)];
  const matching = (keys) => data.cases.filter((one) => keys.every((key) => one[key] === wanted[key]));

  // Lists what there is for the choices before it, and keeps the choice where it is still there.
  function fill(key, before) {
    const select = at(key), values = unique(matching(before).map((one) => one[key]));
    if (!values.includes(wanted[key])) wanted[key] = values[0];
    select.replaceChildren(...values.map((value) => {
      const option = document.createElement("option");
      option.value = value;
      option.textContent = key === "selection" ? data.selections[value].label : value;
      option.selected = value === wanted[key];
      return option;
    }));
  }

  function nearest(sizes, k) {
    let best = 0;
    sizes.forEach((one, place) => {
      if (Math.abs(one - k) < Math.abs(sizes[best] - k)) best = place;
    });
    return best;
  }

  function element(name, attributes, text) {
    const made = document.createElementNS(svg, name);
    Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function choose() {
    fill("net", []);
    fill("task", ["net"]);
    fill("selection", ["net", "task"]);
    const one = matching(["net", "task", "selection"])[0];
    size.max = one.sizes.length - 1;
    size.value = nearest(one.sizes, wanted.share * one.d);
    const cells = Array.from({ length: one.d }, () => document.createElement("i"));
    at("neurons").replaceChildren(...cells);
    show();
  }

  function show() {
    const one = matching(["net", "task", "selection"])[0];
    const place = Number(size.value), k = one.sizes[place];
    const kind = data.selections[one.selection];
    const what = kind.directions ? "directions" : "neurons";
    const words = k + " of " + one.d + " " + what + " (" + percent(k / one.d) + ")";
    at("k").textContent = words;
    size.setAttribute("aria-valuetext", words);
    const order = kind.directions ? null : data.orders[one.d];
    const cells = at("neurons").children;
    for (let i = 0; i < one.d; i++) {
      const neuron = order && one.selection === "random" ? order[i] : i;
      cells[neuron].className = i < k ? "lit" : "";
    }
    at("neurons").setAttribute("aria-label", words + (kind.directions ? "; each mixes all neurons" : " are lit"));
    at("accuracy").textContent = percent(one.accuracy[place]) + ", " + percent(one.accuracy[place] / one.full) +
      " of the whole layer's " + percent(one.full);
    at("cka").textContent = one.cka[place].toFixed(3);
    at("worst").textContent = one.worst.length
      ? one.worst_class[place] + ": " + percent(one.worst[place]) : "not known";
    at("bytes").textContent = (4 * k).toLocaleString("en") + " bytes per image instead of " +
      (4 * one.d).toLocaleString("en");
    draw(one, place);
  }

  function draw(one, place) {
    const left = 52, right = 590, top = 12, bottom = 215;
    const x = (k) => left + (right - left) * Math.log(k) / Math.log(one.d);
    const y = (value) => bottom - (bottom - top) * Math.min(1.05, Math.max(0, value)) / 1.05;
    const path = (values) => "M" + one.sizes.map((k, i) => x(k).toFixed(1) + " " + y(values[i]).toFixed(1)).join("L");
    const curve = at("curve"), title = at("curve-title");
    const ticks = [1, 10, 100, 1000].filter((k) => k <= one.d / 2).concat(one.d);
    curve.replaceChildren(title,
      element("line", { x1: left, x2: right, y1: bottom, y2: bottom }),
      element("line", { class: "bar", x1: left, x2: right, y1: y(0.9), y2: y(0.9) }),
      ...[0, 0.5, 0.9, 1].map((value) => element("text", { x: left - 8, y: y(value) + (value === 0.9 ? 12 : 4), "text-anchor": "end" }, value)),
      ...ticks.map((k) => element("text", { x: x(k), y: bottom + 24, "text-anchor": k === one.d ? "end" : "middle" }, k)),
      element("text", { x: (left + right) / 2, y: bottom + 44, "text-anchor": "middle" }, "number kept"),
      element("path", { class: "cka", d: path(one.cka) }),
      element("path", { class: "accuracy", d: path(one.accuracy.map((value) => value / one.full)) }),
      element("line", { class: "here", x1: x(one.sizes[place]), x2: x(one.sizes[place]), y1: top, y2: bottom }));
  }

  ["net", "task", "selection"].forEach((key) => at(key).addEventListener("change", (event) => {
    wanted[key] = event.target.value;
    choose();
  }));
  size.addEventListener("input", () => {
    const one = matching(["net", "task", "selection"])[0];
    wanted.share = one.sizes[Number(size.value)] / one.d;
    show();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  choose();
})();
