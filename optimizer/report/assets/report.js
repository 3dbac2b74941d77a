"use strict";
(() => {
  const D = JSON.parse(document.getElementById("plan-data").textContent);
  const C = D.communities, T = D.years.length, LAST = T - 1, BEFORE = -1;
  const { el, svgEl, choice, legend, share, change, SEQUENTIAL: SEQ, DIVERGING: DIV, NONE } = Plan;
  const SHARE_EDGES = [300, 500, 600, 700, 800, 900], CHANGE_EDGES = [-200, -100, -10, 10, 100, 250];
  const MARKS = { opened: ["#d1480b", "new"], upgraded: ["#7b2d8b", "enlarged"], closed: ["#222222", "closed"], existing: ["#5f6b73", "as it was"] };
  const PURPOSE_COLOURS = ["#0072b2", "#e69f00", "#009e73", "#b5588f"];
  const LABEL = 32, BARS = 280;
  const state = { district: -1, type: -1, main: 0, pick: -1, measure: "score", year: LAST, marks: "change", service: -1 };
  const byId = (id) => document.getElementById(id);
  const fmt = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

  const millions = (yuan) => (yuan / 1e6).toLocaleString("en-US", { minimumFractionDigits: yuan && Math.abs(yuan) < 1e4 ? 3 : 2, maximumFractionDigits: yuan && Math.abs(yuan) < 1e4 ? 3 : 2 });
  function bar(v) {
    if (v === null || v === undefined) return el("span", { class: "none", title: "no such need" }, "–");
    return el("span", { class: "bar" }, el("i", { style: `width:${Math.max(0, Math.min(100, v / 10))}%`, "aria-hidden": "true" }), el("b", {}, share(v)));
  }
  const inFilter = (c) => (state.district < 0 || c.d === state.district) && (state.type < 0 || c.t === state.type) && (!state.main || c.main);
  const gain = (c) => c.score[LAST] === null || c.before === null ? null : c.score[LAST] - c.before;
  const filtered = () => state.district >= 0 || state.type >= 0 || state.main;

  const part = (c, k, t) => t === BEFORE ? c.had[k] : c.met[k][t];

  /* what the map shows, in the year chosen or before the plan, when no grant is paid and no station has changed */
  const granted = (c, t) => c.people <= 0 ? null : t === BEFORE ? 0 : c.grant[t] / c.people;
  const when = () => state.year === BEFORE ? "before the plan" : D.years[state.year];
  function measure(c) {
    if (state.measure === "score") return state.year === BEFORE ? c.before : c.score[state.year];
    if (state.measure === "change") return gain(c);
    if (state.measure === "grant") return granted(c, state.year);
    return part(c, +state.measure, state.year);
  }
  function scale() {
    if (state.measure === "change") return { edges: CHANGE_EDGES, colours: DIV, text: change };
    if (state.measure !== "grant") return { edges: SHARE_EDGES, colours: SEQ, text: share };
    const values = C.flatMap((c) => D.years.map((_, t) => granted(c, t))).filter((v) => v !== null && v > 0).sort((a, b) => a - b);
    const at = (q) => values.length ? values[Math.min(values.length - 1, Math.floor(q * values.length))] : 0;
    const edges = [...new Set([0.01, at(0.2), at(0.4), at(0.6), at(0.8), at(0.95)].map((v) => +v.toPrecision(2)))];
    return { edges, colours: SEQ.slice(0, edges.length + 1), text: (v) => v < 0.1 ? "0" : v.toPrecision(2) * 1 + "" };
  }
  function shownName() {
    if (state.measure === "score") return `Part of all needs met, ${when()}`;
    if (state.measure === "change") return `Gain from before the plan to ${D.years[LAST]}`;
    if (state.measure === "grant") return `Work funds per resident, ${D.currency}, ${when()}`;
    return `${D.needs[+state.measure].title} met, ${when()}`;
  }

  const core = C.filter((c) => c.main);
  const someCore = core.length && core.length < C.length ? core : [];
  const map = Plan.map(D.height, { core: someCore, pick: (i, s) => pick(s === undefined ? i : D.sites[s].c), hint });
  const areas = map.areas;

  function paint() {
    const s = scale();
    areas.forEach((path, i) => {
      const v = measure(C[i]);
      path.setAttribute("fill", v === null || v === undefined ? NONE : s.colours[s.edges.filter((e) => v >= e).length]);
      path.classList.toggle("off", !inFilter(C[i]));
    });
    const extra = [];
    if (C.some((c) => { const v = measure(c); return v === null || v === undefined; })) extra.push(key("", NONE, "no such need"));
    marks();
    const kinds = ["opened", "upgraded", "closed", "existing"].filter((k) => document.querySelector(`#marks path.${k}`));
    for (const kind of kinds) extra.push(key(kind === "upgraded" ? "square" : "dot", MARKS[kind][0], `station ${MARKS[kind][1]}`));
    legend(byId("legend"), shownName(), s.colours, s.edges, s.text, extra);
  }
  const key = (shape, colour, text) => el("span", {}, el("i", { class: shape, style: `background:${colour}` }), text);
  /* a station as it is in the year chosen: what changes later is as it was, what opens later is not there */
  function then([need, what, year, capacity, had]) {
    if (!year || (state.year !== BEFORE && D.years[state.year] >= year)) return [need, what, year, capacity];
    return what === "opened" ? null : [need, "existing", 0, had];
  }
  function wanted(site) {
    return site.services.map(then).filter(Boolean).filter(([need, what]) => (state.service === -1 ? D.needs[need].network : state.service === -2 || need === state.service) &&
      (state.marks === "open" ? what !== "closed" : what !== "existing"));
  }
  function marks() {
    const layer = byId("marks");
    layer.replaceChildren();
    if (state.marks === "none") return;
    const order = ["existing", "upgraded", "opened", "closed"];
    const drawn = [];
    D.sites.forEach((site, k) => {
      const services = wanted(site);
      if (!services.length || (site.c >= 0 && !inFilter(C[site.c]))) return;
      const kind = order[Math.max(...services.map((s) => order.indexOf(s[1])))];
      drawn.push([order.indexOf(kind), kind, site, k]);
    });
    drawn.sort((a, b) => a[0] - b[0]);
    const halo = { opened: 12, upgraded: 10, closed: 12, existing: 7 };
    for (const [, kind, site, k] of drawn) {
      const d = `M${site.x} ${site.y}h.01`;
      layer.append(svgEl("path", { d, class: kind, stroke: "#fff", "stroke-width": halo[kind], "data-s": k }));
      layer.append(svgEl("path", { d, class: kind, stroke: MARKS[kind][0], "stroke-width": halo[kind] - 3.5, "data-s": k }));
    }
  }

  function hint({ i, s }) {
    if (i !== undefined) {
      const v = measure(C[+i]);
      return [C[+i].name, `${shownName()}: ${v === null || v === undefined ? "no such need" : scale().text(v)}`];
    }
    if (s === undefined) return null;
    return [D.sites[+s].name, ...wanted(D.sites[+s]).map(([need, what, year, capacity]) => `${D.needs[need].title}: ${MARKS[what][1]}${year ? " " + year : ""}, ${fmt.format(capacity)} ${D.needs[need].unit}`)];
  }

  /* controls */
  const filters = byId("filters");
  function drawFilters() {
    const names = C.map((c, i) => [i, c.zh ? `${c.name} ${c.zh}` : c.name]).filter(([i]) => inFilter(C[i])).sort((a, b) => a[1].localeCompare(b[1], "en", { numeric: true }));
    filters.replaceChildren(...[
      D.districts.length > 1 ? choice("District", [[-1, "All districts"], ...D.districts.map((d, i) => [i, d.title])], state.district, (v) => { state.district = +v; refilter(true); }) : null,
      D.types.length > 1 ? choice("Type of community", [[-1, "All types"], ...D.types.map((t, i) => [i, t.title])], state.type, (v) => { state.type = +v; refilter(true); }) : null,
      someCore.length ? choice("Where", [[0, "Everywhere"], [1, "Main city"]], state.main, (v) => { state.main = +v; refilter(true); }) : null,
      choice("Community", [[-1, "Choose a community"], ...names], state.pick, (v) => pick(+v, true)),
      filtered() || state.pick >= 0 ? el("button", { type: "button", onclick: () => { Object.assign(state, { district: -1, type: -1, main: 0 }); pick(-1); refilter(true); } }, "Show all") : null,
    ].filter(Boolean));
  }
  byId("map-controls").append(...[
    choice("Map shows", [["score", "All needs"], ...D.needs.map((n, i) => [i, n.title]), ["change", `Gain before–${D.years[LAST]}`], ["grant", "Work funds per resident"]], "score", (v) => { state.measure = v; paint(); }),
    choice("Year", [[BEFORE, "Before the plan"], ...D.years.map((y, i) => [i, y])], LAST, (v) => { state.year = +v; paint(); }),
    choice("Stations", [["change", "New or enlarged"], ["open", "All open"], ["none", "None"]], "change", (v) => { state.marks = v; paint(); }),
    choice("Of service", [[-1, "Shared services"], [-2, "All services"], ...D.needs.map((n, i) => [i, n.title]).filter(([i]) => D.needs[i].service)], -1, (v) => { state.service = +v; paint(); }),
  ].filter(Boolean));

  /* lists and tables that follow the filters */
  const met = (list, need, t) => {
    let done = 0, all = 0;
    for (const c of list) D.needs.forEach((_, k) => { const m = part(c, k, t); if ((need < 0 || k === need) && m !== null) { all += c.heft[k]; done += c.heft[k] * m; } });
    return all ? done / all : null;
  };
  function rank(id, list, key) {
    const body = byId(id).tBodies[0];
    if (!list.length) return body.replaceChildren(el("tr", {}, el("th", { scope: "row" }, "none"), el("td"), el("td"), el("td")));
    return body.replaceChildren(...[...list].sort(key).slice(0, 10).map((c) => el("tr", {},
      el("th", { scope: "row" }, el("button", { type: "button", class: "pick", "data-i": C.indexOf(c) }, c.name), el("small", {}, D.districts[c.d].title + (c.aside ? ", set aside" : ""))),
      el("td", { class: "n" }, share(c.before)), el("td", {}, bar(c.score[LAST])), el("td", { class: "n" }, change(gain(c))))));
  }
  function money() {
    const cube = D.money.filter((m) => state.district < 0 || m[2] === state.district);
    const used = D.purposes.map((_, p) => p).filter((p) => D.money.some((m) => m[1] === p));
    const total = (test) => cube.filter(test).reduce((sum, m) => sum + m[4], 0);
    const fill = (table, rows) => [...table.tBodies[0].rows].forEach((tr, r) => rows(r).forEach((v, k) => { if (tr.cells[k + 1]) tr.cells[k + 1].textContent = millions(v); }));
    fill(byId("flow-table"), (r) => {
      const mine = (m) => r >= D.sources.length || m[0] === r;
      return [...used.map((p) => total((m) => mine(m) && m[1] === p)), total(mine)];
    });
    fill(byId("year-table"), (r) => D.years.map((_, t) => total((m) => (r >= used.length || m[1] === used[r]) && m[3] === t)));
    flow(cube);
    bars(cube, used);
  }
  function flow(cube) {
    const W = 640, left = 168, right = W - 168;
    const links = new Map(), ins = new Map(), outs = new Map();
    let all = 0;
    for (const [s, p, , , yuan] of cube) {
      const key = `${s},${p}`;
      links.set(key, (links.get(key) || 0) + yuan); ins.set(s, (ins.get(s) || 0) + yuan); outs.set(p, (outs.get(p) || 0) + yuan); all += yuan;
    }
    const holder = byId("flow");
    holder.replaceChildren();
    if (!all) return;
    const [a, endA] = stack(ins, BARS / all), [b, endB] = stack(outs, BARS / all), H = Math.max(endA, endB);
    for (const [at, end] of [[a, endA], [b, endB]]) for (const node of at.values()) node.y += (H - end) / 2;
    const picture = svgEl("svg", { viewBox: `0 0 ${W} ${H + 12}` });
    for (const [key, yuan] of [...links.entries()].sort((x, y) => { const [s, p] = x[0].split(",").map(Number), [u, q] = y[0].split(",").map(Number); return s - u || p - q; })) {
      const [s, p] = key.split(",").map(Number), from = a.get(s), to = b.get(p);
      if (!yuan || !from || !to) continue;
      const ha = yuan / ins.get(s) * from.h, hb = yuan / outs.get(p) * to.h, y0 = from.y + from.used, y1 = to.y + to.used, m = (left + right) / 2;
      from.used += ha; to.used += hb;
      const path = svgEl("path", { d: `M${left + 12} ${y0}C${m} ${y0} ${m} ${y1} ${right - 12} ${y1}v${hb}C${m} ${y1 + hb} ${m} ${y0 + ha} ${left + 12} ${y0 + ha}z`, fill: PURPOSE_COLOURS[p], "fill-opacity": .5 });
      path.append(svgEl("title", {}, `${D.sources[s]} → ${D.purposes[p]}: ${millions(yuan)} million ${D.currency}`));
      picture.append(path);
    }
    const label = (text, yuan, x, node, anchor) => {
      const y = node.y + node.h / 2, short = text.length > 24 ? text.slice(0, 23) + "…" : text;
      picture.append(svgEl("text", { x, y: y - 1, "text-anchor": anchor }, short), svgEl("text", { x, y: y + 13, "text-anchor": anchor, class: "soft" }, `${millions(yuan)} M`));
    };
    for (const [s, node] of a) { picture.append(svgEl("rect", { x: left, y: node.y, width: 12, height: Math.max(1, node.h), fill: "#3a5468" })); label(D.sources[s], ins.get(s), left - 8, node, "end"); }
    for (const [p, node] of b) { picture.append(svgEl("rect", { x: right - 12, y: node.y, width: 12, height: Math.max(1, node.h), fill: PURPOSE_COLOURS[p] })); label(D.purposes[p], outs.get(p), right + 8, node, "start"); }
    holder.append(picture);
  }
  /* bars one under the other, each with room for its label of two lines */
  function stack(nodes, unit) {
    const at = new Map();
    let y = 12;
    for (const k of [...nodes.keys()].filter((k) => nodes.get(k) > 0).sort((a, b) => a - b)) {
      const h = nodes.get(k) * unit, room = Math.max(LABEL, h + 12);
      at.set(k, { y: y + (room - h) / 2, h, used: 0 });
      y += room;
    }
    return [at, y];
  }
  function bars(cube, used) {
    const W = 520, H = 330, base = 300, slot = (W - 50) / T, wide = Math.min(64, slot * 0.62);
    const totals = D.years.map((_, t) => cube.filter((m) => m[3] === t).reduce((s, m) => s + m[4], 0)), top = Math.max(...totals, 1);
    const picture = svgEl("svg", { viewBox: `0 0 ${W} ${H + 24}` });
    totals.forEach((total, t) => {
      let y = base;
      const x = 25 + slot * t + (slot - wide) / 2;
      for (const p of used) {
        const yuan = cube.filter((m) => m[3] === t && m[1] === p).reduce((s, m) => s + m[4], 0), h = yuan / top * (base - 30);
        if (!yuan) continue;
        y -= h;
        const rect = svgEl("rect", { x, y, width: wide, height: h, fill: PURPOSE_COLOURS[p] });
        rect.append(svgEl("title", {}, `${D.purposes[p]} ${D.years[t]}: ${millions(yuan)} million ${D.currency}`));
        picture.append(rect);
      }
      picture.append(svgEl("text", { x: x + wide / 2, y: y - 6, "text-anchor": "middle", class: "soft" }, millions(total)), svgEl("text", { x: x + wide / 2, y: base + 17, "text-anchor": "middle" }, D.years[t]));
    });
    const room = (W - 10) / used.length;
    used.forEach((p, k) => picture.append(svgEl("rect", { x: 10 + k * room, y: H + 4, width: 12, height: 12, fill: PURPOSE_COLOURS[p] }), svgEl("text", { x: 27 + k * room, y: H + 14.5, class: "soft" }, D.purposes[p])));
    byId("bars").replaceChildren(picture);
  }
  function refilter(move) {
    const list = C.filter(inFilter), scored = list.filter((c) => gain(c) !== null);
    drawFilters();
    byId("filtered").textContent = !filtered() ? "" : `${fmt.format(list.length)} of ${fmt.format(C.length)} communities, ${fmt.format(list.reduce((s, c) => s + c.people, 0))} residents; needs met ${share(Math.round(met(list, -1, BEFORE)))} before the plan, ${share(Math.round(met(list, -1, LAST)))} in ${D.years[LAST]}.`;
    rank("worst", scored, (x, y) => x.score[LAST] - y.score[LAST]);
    rank("gain", scored.filter((c) => gain(c) >= 5), (x, y) => gain(y) - gain(x));
    [...byId("needs-table").tBodies[0].rows].forEach((tr, r) => [BEFORE, ...D.years.keys()].forEach((t, k) => tr.cells[k + 1].replaceChildren(bar(met(list, r < D.needs.length ? r : -1, t)))));
    for (const tr of byId("all").tBodies[0].rows) tr.hidden = !inFilter(C[+tr.dataset.i]);
    money();
    paint();
    if (move) filtered() ? map.fit(list) : map.whole();
  }

  /* the card of one community */
  function rows(list, head) {
    return el("div", { class: "wide" }, el("table", {}, el("thead", {}, el("tr", {}, ...head.map((h) => el("th", { scope: "col" }, h)))), el("tbody", {}, ...list.map((r) => el("tr", {}, ...r.map((v, k) => el(k ? "td" : "th", k ? {} : { scope: "row" }, v)))))));
  }
  function paidTable(c) {
    const purposes = [...new Set(c.paid.map((r) => r[1]))].sort(), sources = [...new Set(c.paid.map((r) => r[0]))].sort((x, y) => x - y);
    const sum = (test) => c.paid.filter(test).reduce((total, r) => total + r[2], 0);
    const list = sources.map((s) => [D.sources[s], ...purposes.map((p) => fmt.format(sum((r) => r[0] === s && r[1] === p))), fmt.format(sum((r) => r[0] === s))]);
    if (sources.length > 1) list.push(["All", ...purposes.map((p) => fmt.format(sum((r) => r[1] === p))), fmt.format(sum(() => true))]);
    return rows(list, ["Source", ...purposes.map((p) => D.purposes[p]), "All"]);
  }
  function pick(i, move) {
    state.pick = i;
    const card = byId("card");
    map.mark(i);
    card.hidden = i < 0;
    drawFilters();
    document.querySelector(i < 0 || !matchMedia("(min-width: 861px)").matches ? ".right" : ".left").append(byId("rankings"));
    if (i < 0) { card.replaceChildren(); return; }
    const c = C[i];
    if (move) map.show(c);
    const needs = D.needs.map((n, k) => [n.title, bar(c.had[k]), bar(c.met[k][LAST])]);
    needs.unshift(["All needs", bar(c.before), bar(c.score[LAST])]);
    const parts = [
      el("button", { type: "button", class: "close", "aria-label": "Close the card", onclick: () => pick(-1) }, "✕"),
      el("h3", {}, c.name, c.zh ? el("small", { lang: "zh" }, c.zh) : ""),
      el("p", {}, [c.id === c.name ? null : c.id, D.types[c.t].title, [...new Set([c.sub, D.districts[c.d].title])].filter(Boolean).join(", "), `${fmt.format(c.people)} residents`, c.debt ? `debt ${fmt.format(c.debt)} ${D.currency}` : null].filter(Boolean).join(" · ")),
      el("h4", {}, "Why it gets what it gets"), el("ul", {}, ...c.why.map((w) => el("li", {}, w))),
      el("h4", {}, "Needs met"), rows(needs, ["Need", "Before", String(D.years[LAST])]),
    ];
    if (c.entitled.some((v) => v) || c.grant.some((v) => v)) parts.push(el("h4", {}, `Work funds, ${D.currency}`), rows([["Entitled", ...c.entitled.map((v) => fmt.format(v))], ["Granted", ...c.grant.map((v) => fmt.format(v))]], ["", ...D.years.map(String)]));
    if (c.rooms.length) parts.push(el("h4", {}, "Rooms"), rows(c.rooms.map(([name, how, area, cost, year]) => [name, how, `${fmt.format(area)} m²`, `${fmt.format(cost)}`, year ? String(year) : `after ${D.years[LAST]}`]), ["Rooms", "How", "Area", `Cost, ${D.currency}`, "In use from"]));
    if (c.served.length) parts.push(el("h4", {}, `Who serves it in ${D.years[LAST]}`), rows(c.served.map(([name, need, part, travel, what, year]) => [D.needs[need].title, `${name}${what === "existing" ? "" : ` (${MARKS[what][1]} ${year})`}`, share(part), `${fmt.format(travel)} m`]), ["Service", "Station", "Part of need", "Travel"]));
    if (c.paid.length) parts.push(el("h4", {}, `Who pays, ${T > 1 ? `${D.years[0]}–` : ""}${D.years[LAST]}, ${D.currency}`), paidTable(c), el("p", {}, "Shared stations are paid for by district and are not counted here."));
    card.replaceChildren(...parts.filter(Boolean));
    if (document.activeElement && document.activeElement.classList.contains("pick")) card.scrollIntoView({ block: "nearest" });
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.pick");
    if (!button) return;
    pick(+button.dataset.i, true);
    byId("card").setAttribute("tabindex", "-1");
    byId("card").focus({ preventScroll: true });
    byId("card").scrollIntoView({ block: "nearest" });
  });

  Plan.sortable();
  refilter(false);
})();
