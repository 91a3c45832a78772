"use strict";
// Filters the mistakes by true class, predicted class and model. The state is the page's hash,
// such as #class=daisy&model=int8, so that it can be linked and kept.
(() => {
  const section = document.getElementById("mistakes");
  const form = section.querySelector("form");
  if (!form) return;
  const keys = ["class", "predicted", "model"];
  const cards = [...section.querySelectorAll(".mistake")];
  const rest = section.querySelector(".rest");
  const link = (state) => "#" + new URLSearchParams(Object.entries(state).filter(([, value]) => value));

  const show = () => {
    const asked = new URLSearchParams(location.hash.slice(1));
    const state = {};
    for (const key of keys) {
      const select = form.elements[key];
      select.value = asked.get(key) ?? "";
      if (select.selectedIndex < 0) select.value = ""; // a class that this report does not have
      state[key] = select.value;
    }
    let shown = 0;
    for (const card of cards) {
      let any = false;
      for (const line of card.querySelectorAll("li")) {
        line.hidden =
          (state.model && line.dataset.model !== state.model) ||
          (state.predicted && line.dataset.predicted !== state.predicted);
        any ||= !line.hidden;
      }
      card.hidden = !any || (state.class && card.dataset.class !== state.class);
      shown += !card.hidden;
    }
    if (rest) rest.hidden = shown < cards.length;
    const filtered = keys.some((key) => state[key]);
    form.querySelector("a").hidden = !filtered;
    form.querySelector("output").textContent =
      filtered ? `${shown} of ${cards.length} photos` : `${cards.length} photos`;
    if (keys.some((key) => asked.has(key))) section.scrollIntoView();
  };

  form.addEventListener("input", () => {
    const state = Object.fromEntries(keys.map((key) => [key, form.elements[key].value]));
    location.hash = Object.values(state).some(Boolean) ? link(state) : "#mistakes";
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", show);

  // Every mistake counted in a confusion table leads to its photos.
  const lead = (cell, state, title) => {
    const anchor = document.createElement("a");
    anchor.href = link(state);
    anchor.title = title;
    anchor.append(...cell.childNodes);
    cell.append(anchor);
  };
  for (const region of document.querySelectorAll("[data-confusion]")) {
    const model = region.dataset.confusion;
    const labels = [...region.querySelectorAll(".matrix thead th")].map((head) => head.title);
    for (const cell of region.querySelectorAll("td.miss")) {
      const row = cell.parentElement;
      const pair = row.dataset.class === undefined
        ? { class: labels[row.rowIndex - 1], predicted: labels[cell.cellIndex - 1] }
        : { class: row.dataset.class, predicted: row.dataset.predicted };
      lead(cell, { ...pair, model }, `${pair.class} taken for ${pair.predicted}`);
    }
  }

  form.hidden = false;
  show();
})();
