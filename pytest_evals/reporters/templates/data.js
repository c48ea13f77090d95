// The compressed data of the page: decompressed on demand, and cached.

async function unpack(id) {
  const element = document.getElementById("data-" + id);
  if (!element) throw new Error("the page is incomplete: its data " + id + " is missing");
  const raw = atob(element.textContent);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

const loaded = document.readyState === "complete"
  ? Promise.resolve()
  : new Promise((done) => document.addEventListener("DOMContentLoaded", done, { once: true }));

const kept = new Map();

// The details of one trial. Its chunk is decompressed with it; the cache holds a few chunks.
async function detailOf(trial) {
  const chunk = Math.floor(trial / data.chunk);
  if (!kept.has(chunk)) {
    if (kept.size > 8) kept.delete(kept.keys().next().value);
    kept.set(chunk, loaded.then(() => unpack(chunk)));
  }
  return (await kept.get(chunk))[trial % data.chunk];
}

// The lower-case texts for the search, read from the details while the page is idle, or at once for a
// search. Null until all are read.
let texts = null;
let reading = null;
let hurry = false;

function searched(detail) {
  const parts = [detail.error && detail.error.message];
  for (const one of detail.scores || []) parts.push(one.name, one.reason, one.label);
  for (const turn of detail.talk || []) {
    for (const message of turn.asked || []) parts.push(message.text);
    if (turn.answer) parts.push(turn.answer.text, turn.answer.refusal);
  }
  return parts.filter(Boolean).join("\n").toLowerCase();
}

const idle = () => new Promise((done) => {
  if (hurry) done();
  else if (window.requestIdleCallback) requestIdleCallback(done);
  else setTimeout(done);
});

async function readTexts() {
  await loaded;
  const read = [];
  for (let chunk = 0; chunk * data.chunk < data.names.length; chunk++) {
    await idle();
    for (const detail of await unpack(chunk)) read.push(searched(detail));
  }
  texts = read;
  document.documentElement.dataset.searchable = "";
}

function askTexts(now) {
  hurry = hurry || now;
  reading = reading || readTexts();
  return reading;
}

let data = null;

// The number of trials that ran, and how many of them passed.
function count(trials) {
  const { status } = data.trials;
  const asked = trials.filter((trial) => !data.not_asked.includes(status[trial]));
  return { passed: asked.filter((trial) => status[trial] === 0).length, total: asked.length };
}

// Cases with their trials by model, as the matrix shows them.
function arrange(index) {
  data = index;
  const { id, case: cases, model, status, cost, latency } = index.trials;
  data.names = id.map((one) => one.toLowerCase());
  data.rows = index.cases.map(([dataset, name, question, tags], place) => ({
    place, dataset, name, question, tags,
    shown: index.several ? dataset + " · " + name : name,
    text: [name, question, ...tags.map((tag) => index.tags[tag])].join("\n").toLowerCase(),
    cells: new Map(), changes: new Map(), passed: 0, total: 0, cost: 0, latency: 0, spread: 0,
  }));
  for (let i = 0; i < id.length; i++) {
    const row = data.rows[cases[i]];
    if (!row.cells.has(model[i])) row.cells.set(model[i], []);
    row.cells.get(model[i]).push(i);
    if (index.not_asked.includes(status[i])) continue;
    row.total += 1;
    if (status[i] === 0) row.passed += 1;
    row.cost += cost[i] || 0;
    row.latency = Math.max(row.latency, latency[i] || 0);
  }
  for (const row of data.rows) {
    for (const trials of row.cells.values()) {
      trials.sort((a, b) => index.trials.sample[a] - index.trials.sample[b]);
      const { passed, total } = count(trials);
      const share = total ? passed / total : 0;
      row.spread = Math.max(row.spread, share * (1 - share));
    }
  }
  for (const change of index.changes) data.rows[change.case].changes.set(change.model, change);
}
