// The drawer with the details of one trial. Texts are never markup.

const drawer = document.getElementById("drawer");
let opened = null;
let openedFrom = null;

const part = (title, ...inside) => {
  const real = inside.flat().filter(Boolean);
  return real.length ? make("section", {}, make("h3", {}, title), real) : null;
};
const block = (text, extra) => text && make("div", { class: "text " + (extra || ""), dir: "auto" }, text);
const by = (...words) => make("p", { class: "said-by" }, words.filter(Boolean).join(" · "));
const folded = (title, ...inside) => make("details", {}, make("summary", {}, title), inside);

function calls(list) {
  return (list || []).map((call) => [
    by("calls " + call.name, call.took),
    block(call.arguments || "{}", "code"),
    call.captured && [by(call.name + " returns"), block(call.result || "nothing", "code")],
    call.error && [by(call.name + " fails"), block(call.error, "code bad")],
  ].flat().filter(Boolean));
}

function message(one) {
  return [by([one.role, one.name].filter(Boolean).join(" ")), block(one.text), calls(one.calls)].flat(2);
}

function failure(error) {
  if (!error) return [];
  return [
    by(error.type), block(error.message || error.type, "bad"),
    error.detail && folded("Details", block(error.detail, "code")),
  ];
}

function exchange(one) {
  const answer = one.answer || {};
  return [
    (one.asked || []).map(message),
    (one.attempts || []).map((attempt) => [by("an attempt failed", attempt.type), block(attempt.message, "bad")]),
    (answer.steps || []).map(message),
    one.answer && [
      calls(answer.calls),
      by(one.model, one.source, ...(one.facts || [])),
      answer.refusal && [by("refused"), block(answer.refusal)],
      block(answer.text || (answer.calls || answer.refusal ? "" : "(empty)"), "final"),
      answer.finish && by("finish reason: " + answer.finish),
      (answer.faults || []).map((fault) => block(fault, "bad")),
      answer.data && folded("Structured answer", block(answer.data, "code")),
      answer.metadata && folded("Metadata", block(answer.metadata, "code")),
    ],
    failure(one.error),
    one.params && folded("Parameters", block(one.params, "code")),
    one.tools && by("tools offered: " + one.tools.join(", ")),
  ].flat(4).filter(Boolean);
}

function score(one) {
  const about = [one.label, one.value, one.bar && "asked for " + one.bar, one.weight && "weight " + one.weight];
  return make("div", { class: "score" },
    make("span", {}, make("span", { class: "chip v-" + one.verdict }, one.advisory ? "note" : one.verdict)),
    make("b", {}, one.name),
    make("span", { class: "value muted" }, about.filter(Boolean).join(" · ")),
    block(one.reason),
    one.why && block("Advisory, not counted: " + one.why),
    one.detail && folded("Details", block(one.detail, "code")),
    one.metadata && folded("Metadata", block(one.metadata, "code")));
}

function span(one) {
  const depth = one.depth || 0;
  const bar = make("i", { class: one.error ? "bad" : "" });
  bar.style.left = `${100 * Math.min(1, one.start)}%`;
  bar.style.width = `${Math.max(0.4, 100 * (one.length || 0))}%`;
  const name = make("span", {}, one.name, make("span", { class: "muted" }, " " + [one.kind, one.tokens].filter(Boolean).join(" · ")));
  name.style.paddingLeft = `${12 * depth}px`;
  const row = make("div", { class: "span" }, name, make("span", { class: "lane" }, bar), make("span", { class: "took" }, one.took || ""));
  const more = one.attributes && folded("Attributes of " + one.name, block(one.attributes, "code"));
  return make("div", { role: "listitem", "aria-level": String(depth + 1) }, [row, one.error && block(one.error, "bad"), more].filter(Boolean));
}

function traced(turns) {
  const answers = turns.map((one) => one.answer || {});
  const many = answers.filter((one) => one.trace).length > 1;
  return answers.flatMap((one, turn) => [
    many && one.trace && by("turn " + (turn + 1)),
    (one.trace_notes || []).map((note) => by(note)),
    one.trace && make("div", { role: "list" }, one.trace.map(span)),
  ]).flat();
}

function compared(change) {
  if (!change) return null;
  const marks = { "-": "del", "+": "ins" };
  const words = change.pieces.map(([mark, text]) => (marks[mark] ? make(marks[mark], {}, text) : text));
  return part("Against the baseline",
    make("p", {}, `${TITLES[change.kind] || change.kind}: passed ${change.before} before, ${change.now} now.`),
    words.length ? make("div", { class: "text", dir: "auto" }, words) : null,
    change.facts.length ? make("p", { class: "muted" }, change.facts.join(" · ")) : null);
}

function command(text) {
  const button = make("button", { type: "button" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(button.previousSibling);
      button.textContent = "Selected";
    }
  });
  return make("div", { class: "command" }, block(text, "code"), button);
}

function whole(trial, detail) {
  const row = data.rows[data.trials.case[trial]];
  const turns = detail.talk || [];
  const judges = detail.judges || [];
  return [
    make("dl", { class: "facts" }, detail.facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)))),
    part("Error", failure(detail.error)),
    compared(row.changes.get(data.trials.model[trial])),
    part("Scores", (detail.scores || []).map(score)),
    detail.first && part("The first answer, which metrics count", make("p", {}, detail.first.outcome), (detail.first.scores || []).map(score)),
    part("Conversation", turns.map((one, turn) => [turns.length > 1 && by("turn " + (turn + 1)), exchange(one)]).flat(2)),
    part("Trace", traced(turns)),
    part("Judges", judges.map((one) => folded(`${one.role.replace("judge:", "")} calls ${one.model || "a model"}`, exchange(one)))),
    part("Printed", block(detail.output, "code")),
    part("Run this again", command(detail.rerun)),
    part("Source", detail.source && make("p", {}, make("code", {}, detail.source)),
      make("p", {}, make("code", {}, data.trials.id[trial])),
      row.tags.length ? make("p", {}, row.tags.map((tag) => make("span", { class: "tag" }, data.tags[tag]))) : null,
      detail.metadata && folded("Metadata", block(detail.metadata, "code"))),
  ].filter(Boolean);
}

// The filtered trials, in the order of the matrix.
function neighbours(trial) {
  const all = state.matches.flatMap(({ row, fitting }) => [...row.cells.keys()].sort((a, b) => a - b)
    .flatMap((model) => row.cells.get(model).filter((one) => fitting.has(one))));
  const place = all.indexOf(trial);
  return place < 0 ? [undefined, undefined] : [all[place - 1], all[place + 1]];
}

function head(trial) {
  const row = data.rows[data.trials.case[trial]];
  const status = data.statuses[data.trials.status[trial]];
  const [last, next] = neighbours(trial);
  const step = (label, words, to) => {
    const button = make("button", { type: "button", class: "quiet", "aria-label": words, disabled: to === undefined, title: words }, label);
    button.addEventListener("click", () => show(to));
    return button;
  };
  const close = make("button", { type: "button", id: "close" }, "Close");
  close.addEventListener("click", () => drawer.close());
  const sample = ` · sample ${data.trials.sample[trial]}`;
  return make("div", { class: "bar-top" },
    make("h2", { id: "drawer-title" }, row.shown, make("span", { class: "muted" }, ` ${data.models[data.trials.model[trial]]}${sample} `),
      make("span", { class: "chip v-" + status }, status)),
    step("←", "Previous trial", last), step("→", "Next trial", next), close);
}

async function show(trial) {
  if (opened === null) openedFrom = document.activeElement;
  opened = trial;
  const place = make("div", { class: "inside" }, make("p", { class: "muted" }, "Loading"));
  drawer.replaceChildren(head(trial), place);
  if (!drawer.open) drawer.showModal();
  drawer.scrollTop = 0;
  drawer.querySelector("#close").focus();
  remember();
  try {
    const detail = await detailOf(trial);
    if (opened === trial) place.replaceChildren(...whole(trial, detail));
  } catch (error) {
    place.replaceChildren(make("p", {}, "The details cannot be read: " + error.message));
  }
}

drawer.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || opened === null) return;
  const [last, next] = neighbours(opened);
  const to = { ArrowLeft: last, ArrowRight: next, k: last, j: next }[event.key];
  if (to !== undefined) {
    event.preventDefault();
    show(to);
  }
});

drawer.addEventListener("click", (event) => {
  if (event.target === drawer) drawer.close();
});

drawer.addEventListener("close", () => {
  const trial = opened;
  opened = null;
  remember();
  const square = body.querySelector(`button[data-trial="${trial}"]`);
  if (square) focusOn(square);
  else if (openedFrom && openedFrom.isConnected) openedFrom.focus();
});
