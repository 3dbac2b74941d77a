"use strict";
(() => {
  const { el, choice, legend, share, change, DIVERGING, NONE } = Plan;
  const D = JSON.parse(document.getElementById("plan-data").textContent), C = D.communities;
  const EDGES = [-100, -50, -10, 10, 50, 100], byId = (id) => document.getElementById(id);
  const state = { other: 1, need: -1, pick: -1 };
  const value = (c, side) => state.need < 0 ? c.score[side] : c.needs[side][state.need];
  const difference = (c) => { const a = value(c, 0), b = value(c, state.other); return a === null || b === null ? null : b - a; };
  const shownName = () => `${state.need < 0 ? "All needs" : D.needs[state.need]}: ${D.labels[state.other]} less ${D.labels[0]}`;
  const map = Plan.map(D.height, {
    pick: (i) => pick(i),
    hint: ({ i }) => i === undefined ? null : lines(C[+i]),
  });
  function lines(c) {
    const [proven, reason] = c.notes[state.other];
    return [c.name, `${c.place}, ${c.type}`, `${D.labels[0]} ${share(value(c, 0))}, ${D.labels[state.other]} ${share(value(c, state.other))} (${change(difference(c))})`,
      ...(state.need < 0 && reason ? [reason + (proven === "yes" ? "" : " (not proven)")] : [])];
  }
  function paint() {
    map.areas.forEach((path, i) => {
      const v = difference(C[i]);
      path.setAttribute("fill", v === null ? NONE : DIVERGING[EDGES.filter((e) => v >= e).length]);
    });
    legend(byId("legend"), shownName(), DIVERGING, EDGES, change, C.some((c) => difference(c) === null) ? [el("span", {}, el("i", { style: `background:${NONE}` }), "no such need")] : []);
    rank("lose", 1);
    rank("gain", -1);
  }
  function rank(id, sign) {
    const list = C.map((c, i) => [i, difference(c)]).filter(([, v]) => v !== null && sign * v < 0).sort((x, y) => sign * (x[1] - y[1])).slice(0, 10);
    byId(id).tBodies[0].replaceChildren(...list.map(([i, v]) => {
      const [proven, reason] = C[i].notes[state.other];
      return el("tr", {}, el("th", { scope: "row" }, el("button", { type: "button", class: "pick", "data-i": i }, C[i].name), el("small", {}, C[i].place)),
        el("td", { class: "n" }, change(v)), el("td", {}, state.need < 0 ? (reason + (proven === "yes" ? "" : " (not proven)")).trim() : `${share(value(C[i], 0))} → ${share(value(C[i], state.other))}`));
    }));
    if (!list.length) byId(id).tBodies[0].append(el("tr", {}, el("th", { scope: "row" }, "none"), el("td"), el("td")));
  }
  function pick(i) {
    map.mark(i);
    if (i >= 0) map.show(C[i]);
  }
  byId("map-controls").append(...[
    D.labels.length > 2 ? choice("Plan", D.labels.map((l, k) => [k, l]).slice(1), 1, (v) => { state.other = +v; paint(); }) : null,
    choice("Map shows", [[-1, "All needs"], ...D.needs.map((n, k) => [k, n])], -1, (v) => { state.need = +v; paint(); }),
  ].filter(Boolean));
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.pick");
    if (!button) return;
    pick(+button.dataset.i);
    byId("map").scrollIntoView({ block: "nearest" });
  });
  Plan.sortable();
  paint();
})();
