// The matrix of cases by model, one page at a time. One square has the focus; arrow keys move it.

const SQUARES = 400;
const SAMPLES = 100;
const body = document.querySelector("#grid tbody");

function make(name, attributes, ...inside) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "class") element.className = value;
    else if (key in element && typeof value !== "string") element[key] = value;
    else element.setAttribute(key, value);
  }
  for (const part of inside.flat(Infinity)) {
    if (part !== undefined && part !== null && part !== false && part !== "") element.append(part);
  }
  return element;
}

const level = (share) => (share >= 1 ? 10 : share <= 0 ? 0 : Math.min(9, Math.max(1, Math.round(share * 10))));
const TITLES = JSON.parse(document.getElementById("grid-place").dataset.kinds || "{}");

function square(trial, on) {
  const status = data.statuses[data.trials.status[trial]];
  const sample = data.trials.sample[trial];
  const row = data.rows[data.trials.case[trial]];
  const label = `${row.shown}, ${data.models[data.trials.model[trial]]}, sample ${sample}: ${status}`;
  return make("button", {
    type: "button", class: "sq " + status + (on ? "" : " off"), tabindex: "-1",
    "data-trial": String(trial), "aria-label": label, title: `sample ${sample}: ${status}`,
  });
}

function cell(row, model, fitting) {
  const trials = row.cells.get(model);
  if (!trials) return make("td", { "data-model": data.models[model] }, make("span", { class: "muted" }, "-"));
  const { passed, total } = count(trials);
  const change = row.changes.get(model);
  const more = trials.length - SAMPLES;
  return make("td", { class: total ? "l" + level(passed / total) : "", "data-model": data.models[model] },
    (trials.length > 1 || change) && make("span", { class: "share" },
      trials.length > 1 && `${passed}/${total}`,
      change && make("span", { class: "moved-by k-" + change.kind }, TITLES[change.kind] || change.kind)),
    make("span", { class: "sqs" }, trials.slice(0, SAMPLES).map((trial) => square(trial, fitting.has(trial)))),
    more > 0 && make("span", { class: "muted" }, `${more} more`));
}

function line({ row, fitting }) {
  return make("tr", {},
    make("th", { scope: "row" },
      make("span", { class: "case" }, row.shown),
      row.question && make("span", { class: "question", dir: "auto" }, row.question),
      row.tags.map((tag) => make("span", { class: "tag" }, data.tags[tag]))),
    data.models.map((_, model) => cell(row, model, fitting)));
}

// The number of cases per page, limited by the squares that are drawn at once.
function pageSize() {
  const widest = Math.max(1, ...data.rows.slice(0, 500).map((row) => Math.min(row.total, SAMPLES * data.models.length)));
  return Math.min(50, Math.max(10, Math.floor(SQUARES / widest)));
}

function draw(matches, page) {
  const shown = matches.slice(page * state.size, (page + 1) * state.size);
  body.replaceChildren(...shown.map(line));
  if (!shown.length) {
    body.append(make("tr", {}, make("td", { class: "none", colSpan: data.models.length + 1 }, "No case fits these filters.")));
  }
  const first = body.querySelector("button[data-trial]");
  if (first) first.tabIndex = 0;
}

function focusOn(button) {
  if (!button) return;
  for (const other of body.querySelectorAll('button[tabindex="0"]')) other.tabIndex = -1;
  button.tabIndex = 0;
  button.focus();
  button.scrollIntoView({ block: "nearest", inline: "nearest" });
}

// The nearest square in the next row above or below that has any.
function beside(button, step) {
  const rows = [...body.rows];
  const here = button.getBoundingClientRect();
  for (let place = rows.indexOf(button.closest("tr")) + step; rows[place]; place += step) {
    const squares = [...rows[place].querySelectorAll("button[data-trial]")];
    if (!squares.length) continue;
    const away = (other) => Math.abs(other.getBoundingClientRect().left - here.left);
    return squares.reduce((best, other) => (away(other) < away(best) ? other : best));
  }
  return null;
}

body.addEventListener("keydown", (event) => {
  const button = event.target.closest("button[data-trial]");
  if (!button || event.altKey || event.ctrlKey || event.metaKey) return;
  const all = [...body.querySelectorAll("button[data-trial]")];
  const place = all.indexOf(button);
  const to = {
    ArrowRight: () => all[place + 1], ArrowLeft: () => all[place - 1],
    ArrowDown: () => beside(button, 1), ArrowUp: () => beside(button, -1),
    Home: () => button.closest("tr").querySelector("button[data-trial]"),
    End: () => [...button.closest("tr").querySelectorAll("button[data-trial]")].pop(),
  }[event.key];
  if (!to) return;
  event.preventDefault();
  focusOn(to());
});
