"use strict";
/* The map of a page: zoom, pan, keyboard, hints. `Plan.map(height, options)` returns what a page needs of it. */
const Plan = (() => {
  const SVG = "http://www.w3.org/2000/svg";
  function el(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (key === "class") made.className = value;
      else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
      else if (value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
    }
    made.append(...children.filter((c) => c !== null && c !== undefined));
    return made;
  }
  function svgEl(name, attributes, text) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }
  function map(height, { core, pick, hint }) {
    const picture = document.getElementById("map"), tip = document.getElementById("tip");
    const areas = [...document.querySelectorAll("#areas path")];
    areas.forEach((p) => { const t = p.querySelector("title"); if (t) t.remove(); });
    const EDGE = 1000, home = { x: -EDGE, y: -EDGE, w: 100000 + 2 * EDGE, h: height + 2 * EDGE };
    let view = { ...home };
    function setView(v) {
      const w = Math.max(400, Math.min(home.w * Math.max(1, v.h / v.w * home.w / home.h), v.w)), h = w * v.h / v.w;
      view = { x: Math.min(Math.max(v.x, home.x - w / 2), home.x + home.w - w / 2), y: Math.min(Math.max(v.y, home.y - h / 2), home.y + home.h - h / 2), w, h };
      picture.setAttribute("viewBox", `${view.x} ${view.y} ${view.w} ${view.h}`);
      const labels = document.getElementById("labels");
      if (labels) labels.style.fontSize = `${view.w * 0.021}px`;
      picture.style.touchAction = view.w < home.w * 0.99 ? "none" : "pan-y";
    }
    const whole = () => setView(home);
    const zoom = (factor, cx = view.x + view.w / 2, cy = view.y + view.h / 2) => setView({ x: cx - (cx - view.x) * factor, y: cy - (cy - view.y) * factor, w: view.w * factor, h: view.h * factor });
    function fit(list) {
      const boxes = list.map((c) => c.box);
      if (!boxes.length) return whole();
      const x0 = Math.min(...boxes.map((b) => b[0])), y0 = Math.min(...boxes.map((b) => b[1]));
      const x1 = Math.max(...boxes.map((b) => b[2])), y1 = Math.max(...boxes.map((b) => b[3]));
      const pad = 0.06 * Math.max(x1 - x0, y1 - y0, 300);
      return setView({ x: x0 - pad, y: y0 - pad, w: x1 - x0 + 2 * pad, h: y1 - y0 + 2 * pad });
    }
    /* bring one community into view with its neighbours, if it is outside or too small to see */
    function show(c) {
      const w = Math.max(c.box[2] - c.box[0], c.box[3] - c.box[1]);
      const small = w < view.w / 16, outside = c.box[0] < view.x || c.box[2] > view.x + view.w || c.box[1] < view.y || c.box[3] > view.y + view.h;
      if (small || outside) fit([{ box: [c.box[0] - 1.5 * w, c.box[1] - 1.5 * w, c.box[2] + 1.5 * w, c.box[3] + 1.5 * w] }]);
    }
    function mark(i) {
      const chosen = document.getElementById("chosen");
      chosen.replaceChildren();
      if (i >= 0) chosen.append(svgEl("path", { d: areas[i].getAttribute("d") }));
    }
    function point(event) {
      const p = new DOMPoint(event.clientX, event.clientY).matrixTransform(picture.getScreenCTM().inverse());
      return [p.x, p.y];
    }
    document.getElementById("zoom").append(...[
      el("button", { type: "button", "aria-label": "Zoom in", onclick: () => zoom(0.6) }, "+"),
      el("button", { type: "button", "aria-label": "Zoom out", onclick: () => zoom(1 / 0.6) }, "−"),
      core && core.length ? el("button", { type: "button", onclick: () => fit(core) }, "Main city") : null,
      el("button", { type: "button", onclick: whole }, "Whole city")].filter(Boolean));
    picture.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && document.activeElement !== picture) return;
      event.preventDefault();
      zoom(event.deltaY > 0 ? 1.25 : 0.8, ...point(event));
    }, { passive: false });
    picture.addEventListener("dblclick", (event) => { event.preventDefault(); zoom(0.5, ...point(event)); });
    picture.addEventListener("keydown", (event) => {
      const step = 0.15, moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (moves[event.key]) setView({ ...view, x: view.x + moves[event.key][0] * view.w, y: view.y + moves[event.key][1] * view.h });
      else if (event.key === "+" || event.key === "=") zoom(0.6);
      else if (event.key === "-") zoom(1 / 0.6);
      else if (event.key === "0") whole();
      else if (event.key === "Escape") pick(-1);
      else return;
      event.preventDefault();
    });
    let drag = null;
    picture.addEventListener("pointerdown", (event) => { drag = { at: point(event), moved: false, sx: event.clientX, sy: event.clientY }; });
    window.addEventListener("pointerup", () => { setTimeout(() => { drag = null; }, 0); });
    picture.addEventListener("pointermove", (event) => {
      if (drag && event.buttons) {
        if (Math.hypot(event.clientX - drag.sx, event.clientY - drag.sy) > 4) drag.moved = true;
        if (drag.moved && (picture.style.touchAction === "none" || event.pointerType === "mouse")) {
          const [x, y] = point(event);
          setView({ ...view, x: view.x + drag.at[0] - x, y: view.y + drag.at[1] - y });
        }
      }
      const lines = hint(event.target.dataset), box = picture.getBoundingClientRect();
      tip.style.display = lines ? "block" : "none";
      if (!lines) return;
      tip.replaceChildren(...lines.flatMap((line, k) => k ? [el("br"), line] : [el("strong", {}, line)]));
      const x = event.clientX - box.left, y = event.clientY - box.top;
      tip.style.left = `${Math.max(4, Math.min(x + 14, box.width - tip.offsetWidth - 4))}px`;
      tip.style.top = `${y + 18 + tip.offsetHeight > box.height ? Math.max(4, y - tip.offsetHeight - 10) : y + 18}px`;
    });
    picture.addEventListener("pointerleave", () => { tip.style.display = "none"; });
    picture.addEventListener("click", (event) => {
      if (drag && drag.moved) return;
      const { i, s } = event.target.dataset;
      if (i !== undefined) pick(+i); else if (s !== undefined) pick(-1, +s);
    });
    setView(home);
    return { areas, fit, whole, show, mark };
  }
  function choice(label, options, value, use) {
    const select = el("select", { onchange: (e) => use(e.target.value) }, ...options.map(([v, t]) => el("option", { value: v, selected: String(v) === String(value) }, t)));
    return el("label", {}, label, select);
  }
  function sortable() {
    for (const table of document.querySelectorAll("table.sortable")) {
      [...table.tHead.rows[0].cells].forEach((cell, k) => cell.querySelector("button").addEventListener("click", () => {
        const numbers = cell.classList.contains("n"), now = cell.getAttribute("aria-sort");
        const down = now ? now === "ascending" : numbers;
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        cell.setAttribute("aria-sort", down ? "descending" : "ascending");
        const value = (tr) => tr.cells[k].textContent;
        const figure = (tr) => { const f = parseFloat(value(tr).replace(/[,+±]/g, "").replace("<0.01", "0.001").replace("−", "-")); return Number.isNaN(f) ? -Infinity : f; };
        const order = numbers ? (x, y) => figure(x) - figure(y) : (x, y) => value(x).localeCompare(value(y), "en", { numeric: true });
        const list = [...table.tBodies[0].rows].sort(order);
        table.tBodies[0].append(...(down ? list.reverse() : list));
      }));
    }
  }
  const legend = (holder, name, colours, edges, text, extra) => {
    holder.replaceChildren(el("strong", {}, name));
    colours.forEach((colour, k) => {
      const low = k ? text(edges[k - 1]) : null, high = k < edges.length ? text(edges[k]) : null;
      const words = low === null ? (high === "0" ? "nothing" : `below ${high}`) : high === null ? `${low} and more` : low === "0" ? `up to ${high}` : `${low} to ${high}`;
      holder.append(el("span", {}, el("i", { style: `background:${colour}` }), words));
    });
    holder.append(...extra);
  };
  const share = (v) => v === null || v === undefined ? "–" : v >= 995 && v < 1000 ? "0.99" : v > 0 && v < 5 ? "<0.01" : (v / 1000).toFixed(2);
  const change = (v) => v === null || v === undefined ? "–" : Math.abs(v) < 5 ? "±0.00" : (v > 0 ? "+" : "−") + (Math.abs(v) / 1000).toFixed(2);
  const DIVERGING = ["#8c510a", "#d8a24a", "#f3dfb2", "#f1f1f1", "#b7ddd7", "#5ab4ac", "#01665e"];
  const SEQUENTIAL = ["#fdf6c3", "#c7e9b4", "#7fcdbb", "#41b6c4", "#1d91c0", "#225ea8", "#0c2c84"];
  return { el, svgEl, map, choice, sortable, legend, share, change, DIVERGING, SEQUENTIAL, NONE: "#d5d5d5" };
})();
