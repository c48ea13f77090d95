// Which trials are looked for, and in which order: read from the form, kept in the page's address.

const NAMES = ["q", "model", "tag", "status", "diff", "scorer", "sort"];
const form = document.querySelector("form.filters");

function readForm() {
  const wanted = {};
  for (const name of NAMES) {
    const field = form.elements[name];
    if (field && field.value.trim()) wanted[name] = field.value.trim();
  }
  return wanted;
}

function readAddress() {
  const wanted = {};
  for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
    if (value) wanted[name] = value;
  }
  return wanted;
}

// A link to a heading of the page is no state of ours.
function isState() {
  return location.hash === "" || location.hash.includes("=");
}

// What the form does not offer (a tag of another run) is left out.
function writeForm(wanted) {
  for (const name of NAMES) {
    const field = form.elements[name];
    if (!field) continue;
    field.value = wanted[name] || "";
    if (field.value !== (wanted[name] || "")) field.value = "";
  }
}

function writeAddress(wanted, extra) {
  const address = new URLSearchParams();
  for (const name of NAMES) if (wanted[name]) address.set(name, wanted[name]);
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

// What the filter's words mean as numbers.
function compile(wanted) {
  const place = (list, word) => (word === undefined ? null : list.indexOf(word));
  return {
    words: (wanted.q || "").toLowerCase().split(/\s+/).filter(Boolean),
    model: place(data.models, wanted.model),
    tag: place(data.tags, wanted.tag),
    status: place(data.statuses, wanted.status),
    scorer: place(data.trials.scorers, wanted.scorer),
    diff: wanted.diff,
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

// The rows with a trial that fits, in order, each with the trials that do.
function sieve(wanted) {
  const by = compile(wanted);
  const found = [];
  let trials = 0;
  for (const row of data.rows) {
    if (by.tag !== null && !row.tags.includes(by.tag)) continue;
    const fitting = new Set();
    for (const cell of row.cells.values()) {
      for (const trial of cell) if (fits(row, trial, by)) fitting.add(trial);
    }
    if (!fitting.size) continue;
    trials += fitting.size;
    found.push({ row, fitting });
  }
  const order = ORDERS[wanted.sort || ""] || ORDERS[""];
  found.sort((a, b) => order(a.row, b.row) || a.row.place - b.row.place);
  return { found, trials };
}
