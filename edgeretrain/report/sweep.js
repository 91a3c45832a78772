"use strict";
// Sorts and filters the models, and shows the details of the one pointed at. The state is the page's hash, such as
// #family=mobilenet_v2&sort=-top1, so that it can be linked and kept.
(() => {
  const section = document.getElementById("models");
  if (!section) return;
  const form = section.querySelector("form");
  const table = section.querySelector("table");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const dots = [...section.querySelectorAll(".dot")];
  const details = document.getElementById("details");
  const keys = ["family", "precision", "show", "name"];
  const titles = new Map();
  const shown = (row) => !rows[row].classList.contains("out");

  const state = () => new URLSearchParams(location.hash.slice(1));
  const change = (key, value) => {
    const next = state();
    for (const known of [...next.keys()]) if (!keys.includes(known) && known !== "sort") next.delete(known);
    if (value) next.set(key, value);
    else next.delete(key);
    history.replaceState(null, "", "#" + (next.toString() || "models"));
    show();
  };

  const value = (row, column, number) => {
    const cell = row.cells[column];
    if (!number) return cell.textContent.trim();
    return cell.dataset.v === "" ? NaN : Number(cell.dataset.v);
  };
  const heads = [...table.tHead.rows[0].cells];
  const sort = (asked) => {
    const key = asked.replace(/^-/, "");
    const column = heads.findIndex((head) => head.dataset.key === key);
    for (const head of heads) head.removeAttribute("aria-sort");
    let order = rows;
    if (column >= 0) {
      const down = asked.startsWith("-");
      const number = "number" in heads[column].dataset;
      heads[column].setAttribute("aria-sort", down ? "descending" : "ascending");
      const empty = (cell) => (number ? Number.isNaN(cell) : cell === "");
      order = [...rows].sort((left, right) => {
        const a = value(left, column, number), b = value(right, column, number);
        if (empty(a) || empty(b)) return empty(a) - empty(b); // missing figures last, either way
        const before = number ? a - b : a < b ? -1 : a > b ? 1 : 0;
        return down ? -before : before;
      });
    }
    body.append(...order);
  };

  // Steps through the shown models that no other shown model dominates; the line as it was while all are shown.
  const lines = new Map();
  const redraw = (all) => {
    for (const figure of section.querySelectorAll("figure")) {
      const line = figure.querySelector(".scatter .front");
      if (!lines.has(line)) lines.set(line, line.getAttribute("d"));
      let path = "", best = Infinity;
      const points = [...figure.querySelectorAll(".dot")].filter((dot) => shown(dot.dataset.row));
      points.sort((a, b) => a.dataset.x - b.dataset.x || a.dataset.y - b.dataset.y);
      for (const { dataset } of points) {
        if (Number(dataset.y) >= best) continue;
        path += path ? `H${dataset.x}V${dataset.y}` : `M${dataset.x} ${dataset.y}`;
        best = Number(dataset.y);
      }
      line.setAttribute("d", all ? lines.get(line) : path);
      // One stop for the Tab key in a picture; arrow keys go from model to model.
      figure.querySelectorAll(".dot").forEach((dot) => dot.setAttribute("tabindex", "-1"));
      points[0]?.setAttribute("tabindex", "0");
    }
  };

  const show = () => {
    const asked = state();
    const wanted = {};
    for (const key of keys) {
      const field = form.elements[key];
      if (field.value !== (asked.get(key) ?? "")) field.value = asked.get(key) ?? "";
      if (field.selectedIndex === -1) field.value = ""; // a family that this sweep does not have
      wanted[key] = field.value;
    }
    const words = wanted.name.toLowerCase().split(/\s+/);
    let count = 0;
    for (const row of rows) {
      const { family, precision, front, fits } = row.dataset;
      const name = `${row.cells[0].textContent} ${precision}`.toLowerCase();
      const stays =
        (!wanted.family || family === wanted.family) && (!wanted.precision || precision === wanted.precision) &&
        (!wanted.show || front === wanted.show || fits === wanted.show) && words.every((word) => name.includes(word));
      row.classList.toggle("out", !stays);
      count += stays;
    }
    for (const dot of dots) dot.classList.toggle("out", !shown(dot.dataset.row));
    sort(asked.get("sort") ?? "");
    redraw(count === rows.length);
    form.querySelector("a").hidden = !keys.some((key) => wanted[key]);
    form.querySelector("output").textContent =
      count < rows.length ? `${count} of ${rows.length} models` : `${rows.length} model${rows.length === 1 ? "" : "s"}`;
    point(null);
  };

  // Details of a model, beside its point and marked in every picture.
  let current = null;
  const point = (dot) => {
    if (dot === current) return;
    current = dot;
    for (const other of dots) other.classList.toggle("on", dot !== null && other.dataset.row === dot.dataset.row);
    details.hidden = dot === null;
    if (!dot) return;
    const here = [...dot.closest("svg").querySelectorAll(".dot:not(.out)")].filter(
      (other) => other !== dot && Math.hypot(other.dataset.x - dot.dataset.x, other.dataset.y - dot.dataset.y) < 2);
    const names = here.slice(0, 4).map((other) => titles.get(other).split("\n")[0]);
    if (here.length > 4) names.push(`${here.length - 4} more`);
    details.textContent = titles.get(dot) + (names.length ? `\nin the same place: ${names.join(", ")}` : "");
    const place = dot.querySelector(".mark").getBoundingClientRect();
    const size = details.getBoundingClientRect();
    const room = document.documentElement.clientWidth;
    let left = place.right + 12;
    if (left + size.width > room - 8) left = Math.max(8, place.left - size.width - 12);
    const covers = left < place.right && left + size.width > place.left;
    const top = covers ? place.bottom + 10 : place.top + place.height / 2 - size.height / 2;
    details.style.left = `${left + scrollX}px`;
    details.style.top = `${Math.max(top, 8) + scrollY}px`;
  };
  const nearest = (svg, event) => {
    const matrix = svg.getScreenCTM();
    const x = (event.clientX - matrix.e) / matrix.a, y = (event.clientY - matrix.f) / matrix.d;
    let found = null, least = 18;
    for (const dot of svg.querySelectorAll(".dot:not(.out)")) {
      // Of models in the same place the pick comes first, then the front.
      const before = dot.classList.contains("pick") ? 0.2 : dot.classList.contains("on-front") ? 0.1 : 0;
      const distance = Math.hypot(dot.dataset.x - x, dot.dataset.y - y) - before;
      if (distance < least) [found, least] = [dot, distance];
    }
    return found;
  };
  for (const svg of section.querySelectorAll(".scatter")) {
    svg.addEventListener("pointermove", (event) => {
      const dot = nearest(svg, event);
      svg.style.cursor = dot ? "pointer" : "";
      point(dot);
    });
    svg.addEventListener("pointerleave", () => point(null));
    svg.addEventListener("click", (event) => {
      // Open the model whose details are shown, also where symbols lie upon each other.
      const dot = event.detail ? nearest(svg, event) : null;
      if (!dot || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      location.href = dot.getAttribute("href");
    });
    svg.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
      if (event.key === "Escape") point(null);
      if (!step) return;
      event.preventDefault();
      const all = [...svg.querySelectorAll(".dot:not(.out)")];
      all.sort((a, b) => a.dataset.x - b.dataset.x || b.dataset.y - a.dataset.y);
      const at = all.indexOf(event.target.closest(".dot")) + step;
      all[Math.min(all.length - 1, Math.max(0, at))].focus();
    });
  }
  for (const dot of dots) {
    const title = dot.querySelector("title");
    titles.set(dot, title.textContent);
    dot.setAttribute("aria-label", title.textContent.replaceAll("\n", ", "));
    title.remove(); // the browser would show it besides
    dot.addEventListener("focus", () => {
      for (const other of dot.closest("svg").querySelectorAll(".dot")) other.setAttribute("tabindex", "-1");
      dot.setAttribute("tabindex", "0");
      point(dot);
    });
    dot.addEventListener("blur", () => point(null));
  }
  for (const row of rows) {
    const mark = (on) => {
      for (const dot of dots) if (dot.dataset.row === row.dataset.row) dot.classList.toggle("on", on);
    };
    row.addEventListener("pointerenter", () => mark(true));
    row.addEventListener("pointerleave", () => mark(false));
  }

  for (const head of heads) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const key = head.dataset.key, sorted = head.getAttribute("aria-sort");
      // Best first: small is good for costs, large for shares.
      const down = ["top1", "interval", "top3", "same", "weakest", "front"].includes(key);
      const [first, second] = down ? [`-${key}`, key] : [key, `-${key}`];
      change("sort", sorted === null ? first : sorted === (down ? "descending" : "ascending") ? second : "");
    });
  }
  for (const key of keys) {
    form.elements[key].addEventListener("input", (event) => change(key, event.target.value));
  }
  form.addEventListener("submit", (event) => event.preventDefault());
  form.querySelector("a").addEventListener("click", (event) => {
    event.preventDefault();
    const sorted = state().get("sort");
    history.replaceState(null, "", sorted ? `#sort=${sorted}` : "#models");
    show();
  });
  window.addEventListener("hashchange", show);
  // Paper shows all models, so the line of all.
  window.addEventListener("beforeprint", () => redraw(true));
  window.addEventListener("afterprint", show);
  form.hidden = false;
  show();
})();
