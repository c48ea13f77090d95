// The filters and the order of cases: read from the form, stored in the page's address.

const NAMES = ["q", "model", "tag", "status", "diff", "scorer", "sort"];
const form = document.querySelector("form.filters");

function readForm() {
  const filters = {};
  for (const name of NAMES) {
    const field = form.elements[name];
    if (field && field.value.trim()) filters[name] = field.value.trim();
  }
  return filters;
}

function readAddress() {
  const filters = {};
  for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
    if (value) filters[name] = value;
  }
  return filters;
}

// A link to a heading is no state of the filters.
function isState() {
  return location.hash === "" || location.hash.includes("=");
}

// A value that the form does not offer (a tag of another run) is ignored.
function writeForm(filters) {
  for (const name of NAMES) {
    const field = form.elements[name];
    if (!field) continue;
    field.value = filters[name] || "";
    if (field.value !== (filters[name] || "")) field.value = "";
  }
}

function writeAddress(filters, extra) {
  const address = new URLSearchParams();
  for (const name of NAMES) if (filters[name]) address.set(name, filters[name]);
  for (const [name, value] of Object.entries(extra)) if (value) address.set(name, value);
  const hash = address.toString();
  const now = location.hash.slice(1);
  if (hash !== now) history.replaceState(null, "", hash ? "#" + hash : location.pathname + location.search);
}

const share = (row) => (row.total ? row.passed / row.total : 1);

const ORDERS = {
  "": (a, b) => share(a) - share(b),
  planned: () => 0,
  name: (a, b) => (a.shown < b.shown ? -1 : a.shown > b.shown ? 1 : 0),
  cost: (a, b) => b.cost - a.cost,
  latency: (a, b) => b.latency - a.latency,
  spread: (a, b) => b.spread - a.spread,
};

// The filters as numbers of the index.
function compile(filters) {
  const place = (list, word) => (word === undefined ? null : list.indexOf(word));
  return {
    words: (filters.q || "").toLowerCase().split(/\s+/).filter(Boolean),
    model: place(data.models, filters.model),
    tag: place(data.tags, filters.tag),
    status: place(data.statuses, filters.status),
    scorer: place(data.trials.scorers, filters.scorer),
    diff: filters.diff,
  };
}

function fits(row, trial, by) {
  const { model, status, failing } = data.trials;
  if (by.model !== null && model[trial] !== by.model) return false;
  if (by.status !== null && status[trial] !== by.status) return false;
  if (by.scorer !== null && !failing[trial].includes(by.scorer)) return false;
  if (by.diff && (row.changes.get(model[trial]) || {}).kind !== by.diff) return false;
  return by.words.every((word) => row.text.includes(word)
    || data.names[trial].includes(word)
    || (texts !== null && texts[trial].includes(word)));
}

// The rows with a matching trial, in order, each with its matching trials.
function sieve(filters) {
  const by = compile(filters);
  const matches = [];
  let trials = 0;
  for (const row of data.rows) {
    if (by.tag !== null && !row.tags.includes(by.tag)) continue;
    const fitting = new Set();
    for (const cell of row.cells.values()) {
      for (const trial of cell) if (fits(row, trial, by)) fitting.add(trial);
    }
    if (!fitting.size) continue;
    trials += fitting.size;
    matches.push({ row, fitting });
  }
  const order = ORDERS[filters.sort || ""] || ORDERS[""];
  matches.sort((a, b) => order(a.row, b.row) || a.row.place - b.row.place);
  return { matches, trials };
}
