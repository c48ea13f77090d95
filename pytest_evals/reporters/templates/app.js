// The state of the page: its filters, the shown page of cases, and its colours.

const state = { filters: {}, matches: [], trials: 0, page: 0, size: 10 };

function remember() {
  writeAddress(state.filters, {
    page: state.page ? String(state.page + 1) : "",
    trial: opened === null ? "" : data.trials.id[opened],
  });
}

function tell() {
  const { matches, trials, page } = state;
  const count = (n) => n.toLocaleString("en");
  const pages = Math.max(1, Math.ceil(matches.length / state.size));
  document.getElementById("found").textContent =
    `${count(matches.length)} of ${count(data.rows.length)} cases, ${count(trials)} of ${count(data.trials.id.length)} trials`
    + (state.filters.q && texts === null ? ", still reading the answers" : "");
  document.getElementById("page").textContent = `Page ${page + 1} of ${pages}`;
  document.querySelector("nav.pages").hidden = pages < 2;
  document.getElementById("before").disabled = page < 1;
  document.getElementById("after").disabled = page >= pages - 1;
}

function apply(filters, page) {
  state.filters = filters;
  Object.assign(state, sieve(filters));
  const pages = Math.max(1, Math.ceil(state.matches.length / state.size));
  state.page = Math.min(Math.max(0, page || 0), pages - 1);
  draw(state.matches, state.page);
  tell();
  remember();
  if (filters.q && texts === null) askTexts(true).then(() => state.filters.q && apply(state.filters, state.page));
}

function turn(step) {
  apply(state.filters, state.page + step);
  document.getElementById("cases").scrollIntoView({ block: "start" });
}

function fromAddress() {
  if (!isState()) return;
  const filters = readAddress();
  const { page, trial } = filters;
  writeForm(filters);
  const offered = readForm();
  const place = trial === undefined ? -1 : data.trials.id.indexOf(trial);
  const filtered = Object.keys(offered).length > 0;
  state.filters = offered;
  Object.assign(state, sieve(offered));
  apply(offered, page ? Number(page) - 1 : 0);
  if (place >= 0) show(place);
  else if (drawer.open) drawer.close();
  else if (filtered && arrived) document.getElementById("cases").scrollIntoView({ block: "start" });
}

const COLOURS = [["", "Auto", "as the system has them"], ["light", "Light", "light"], ["dark", "Dark", "dark"]];

function colours() {
  const button = document.getElementById("theme");
  const kept = (() => { try { return localStorage.getItem("evals-colours") || ""; } catch { return ""; } })();
  const set = (name) => {
    const [value, label, words] = COLOURS.find(([one]) => one === name) || COLOURS[0];
    if (value) document.documentElement.dataset.theme = value;
    else delete document.documentElement.dataset.theme;
    button.textContent = label;
    button.setAttribute("aria-label", "Colours: " + words);
  };
  set(kept);
  button.addEventListener("click", () => {
    const now = document.documentElement.dataset.theme || "";
    const next = COLOURS[(COLOURS.findIndex(([one]) => one === now) + 1) % COLOURS.length][0];
    set(next);
    try { localStorage.setItem("evals-colours", next); } catch { /* a page that may keep nothing */ }
  });
}

let arrived = false;

async function start() {
  document.documentElement.classList.add("scripted");
  colours();
  arrange(await unpack("index"));
  state.size = pageSize();
  fromAddress();
  arrived = true;
  form.addEventListener("input", () => apply(readForm(), 0));
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("clear").addEventListener("click", () => { form.reset(); apply({}, 0); });
  document.getElementById("before").addEventListener("click", () => turn(-1));
  document.getElementById("after").addEventListener("click", () => turn(1));
  body.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-trial]");
    if (button) show(Number(button.dataset.trial));
  });
  addEventListener("hashchange", fromAddress);
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
  askTexts(false);
}

start().catch((error) => {
  document.getElementById("found").textContent = "This page cannot read its data: " + error.message;
});
