// The page: which pair is looked at, what is decided about it, and the keys.

import * as api from "./api.js";
import { FILTERS, PairList } from "./list.js";
import { Points } from "./points.js";
import { Viewer } from "./viewer.js";

const byId = (id) => document.getElementById(id);
// Reasons of rejection that accepting a pair overrules.
const OVERRULED = ["small_overlap", "disagreement"];
const VERDICTS = {
  accept: "accepted by you",
  reject: "rejected by you",
  points: "aligned from your points",
};

let list, viewer, points, pair, details, trial;
const undone = [];
let saving = Promise.resolve();

async function start() {
  const facts = await api.overview().catch((error) => fatal(error));
  if (!facts) return;
  document.title = `Judging pairs – ${facts.phone}`;
  byId("file").textContent = facts.file;
  const pairs = facts.pairs.map(([index, stem, ok, agreement, residual, verdict]) => ({
    index, stem, ok, agreement, residual, verdict,
  }));
  viewer = new Viewer(facts);
  points = new Points({ tried: showTrial, left: () => {} });
  const named = decodeURIComponent(location.hash.slice(1));
  const first = pairs.find(({ stem }) => stem === named) ?? pairs[0];
  list = new PairList(pairs, (chosen) => {
    show(chosen);
    openList(false);
  });
  show(first);
}

function fatal(error) {
  byId("message").textContent = error.message;
  byId("message").hidden = false;
}

function show(chosen) {
  if (!chosen) return;
  const wanted = api.details(chosen.index);
  pair = chosen;
  details = trial = null;
  list.setCurrent(pair.index);
  history.replaceState(null, "", `#${encodeURIComponent(pair.stem)}`);
  byId("stem").textContent = pair.stem;
  byId("place").textContent = `${list.place() + 1} of ${list.shown.length}`;
  byId("trial").hidden = true;
  byId("actions").hidden = false;
  drawVerdict();
  const ahead = [1, 2, 3, -1].map((step) => list.neighbour(step)).filter(Boolean);
  viewer.show(pair, wanted, 0, ahead);
  wanted.then(
    (values) => {
      if (pair !== chosen) return;
      details = values;
      drawDetails(values);
      setTimeout(() => pair === chosen && checkPhotos(chosen), 700);
    },
    (error) => toast(error.message),
  );
}

async function checkPhotos(chosen) {
  const { unchanged } = await api.unchanged(chosen.index).catch(() => ({ unchanged: true }));
  if (!unchanged && pair === chosen) viewer.say("A photo was changed since it was aligned: align again.");
}

function drawDetails(values) {
  const percent = (share) => `${Math.round(100 * share)} %`;
  const size = ([width, height]) => (width ? `${width} × ${height}` : "–");
  const rows = {
    agreement: values.agreement ? percent(values.agreement) : "–",
    residual: values.residual ? `${values.residual.toFixed(2)} px` : "–",
    overlap: values.overlap ? percent(values.overlap) : "–",
    matches: `${values.inliers} of ${values.matches}`,
    phone: size(values.phone_size),
    reference: size(values.reference_size),
  };
  byId("numbers").replaceChildren(
    ...Object.entries(rows).map(([name, value]) => {
      const row = document.createElement("div");
      const term = document.createElement("dt");
      const description = document.createElement("dd");
      term.textContent = name;
      description.textContent = value;
      row.className = name === "phone" || name === "reference" ? "size" : "";
      row.append(term, description);
      return row;
    }),
  );
  drawVerdict();
}

function drawVerdict() {
  const status = byId("decision");
  status.textContent = pair.ok ? "aligned" : `refused${details ? `: ${details.status}` : ""}`;
  status.dataset.state = pair.ok ? "accepted" : "refused";
  const verdict = byId("verdict");
  verdict.textContent = VERDICTS[pair.verdict] ?? "undecided";
  verdict.dataset.verdict = pair.verdict;
  const isVain = pair.verdict === "accept" && details && !pair.ok && !OVERRULED.includes(details.reason);
  if (isVain && details.reason !== "by_hand") verdict.textContent += " – in vain: it has no alignment; set points";
  byId("accept").setAttribute("aria-pressed", pair.verdict === "accept");
  byId("reject").setAttribute("aria-pressed", pair.verdict === "reject");
  byId("set-points").setAttribute("aria-pressed", pair.verdict === "points");
  byId("undo").disabled = !undone.length;
}

// Saves what was decided about a pair; one after another, so that the last one stays.
function save(about, verdict, at) {
  saving = saving.then(async () => {
    const values = await api.decide(about.index, verdict, at);
    about.verdict = values.verdict;
    if (pair === about) details = values;
    document.documentElement.dataset.saved = `${about.stem} ${values.verdict}`;
  }).catch((error) => toast(`Not saved: ${error.message}`));
  return saving.then(() => {
    list.refresh();
    drawVerdict();
  });
}

async function decide(verdict, at = []) {
  const about = pair;
  if (!about || !details) return;
  const next = list.neighbour(1);
  undone.push({ about, verdict: about.verdict, points: details.points });
  about.verdict = verdict;
  drawVerdict();
  const saved = save(about, verdict, at);
  list.refresh();
  if (next) show(next);
  else toast("That was the last pair of this list.");
  await saved;
}

function undo() {
  const last = undone.pop();
  if (!last) return;
  save(last.about, last.verdict, last.points);
  last.about.verdict = last.verdict;
  list.refresh();
  show(last.about);
}

function setPoints() {
  if (!details) return;
  const sizes = [details.phone_size, details.reference_size];
  if (!sizes.flat().every(Boolean)) return toast("A photo cannot be read, so points are of no use.");
  points.setSizes(sizes);
  points.open(pair, details);
}

function showTrial(result, at) {
  trial = { result, at };
  byId("actions").hidden = true;
  byId("trial").hidden = false;
  byId("trial-says").textContent =
    `Aligned from ${at.length} points: agreement ${Math.round(100 * result.agreement)} %, ` +
    `residual ${result.residual.toFixed(2)} px. Not saved yet.`;
  drawDetails({ ...details, ...result });
  byId("decision").textContent = "a trial";
  viewer.show(pair, Promise.resolve({ ...details, ...result }), result.trial, []);
}

function step(by) {
  const next = list.neighbour(by);
  if (next) show(next);
  else toast(by > 0 ? "That is the last pair." : "That is the first pair.");
}

function openList(isOpen) {
  document.body.classList.toggle("list-open", isOpen);
  if (isOpen) list.draw();
}

let fading;
function toast(sentence) {
  byId("toast").textContent = sentence;
  byId("toast").hidden = false;
  clearTimeout(fading);
  fading = setTimeout(() => (byId("toast").hidden = true), 5000);
}

const TRIAL_KEYS = { s: () => decide("points", trial.at), p: setPoints, Escape: () => show(pair) };
const KEYS = {
  a: () => decide("accept"),
  r: () => decide("reject"),
  p: setPoints,
  u: undo,
  j: () => step(1),
  k: () => step(-1),
  ArrowRight: () => step(1),
  ArrowLeft: () => step(-1),
  ArrowDown: () => step(1),
  ArrowUp: () => step(-1),
};
const LOOKING_KEYS = {
  " ": () => viewer.blink(),
  w: () => viewer.toggleWindows(),
  z: () => viewer.toggleZoom(),
  "[": () => viewer.moveDivider(viewer.divider - 0.05),
  "]": () => viewer.moveDivider(viewer.divider + 0.05),
  "/": () => (openList(true), byId("search").focus()),
  f: () => list.setFilter(FILTERS[(FILTERS.indexOf(list.filter) + 1) % FILTERS.length]),
  "?": () => byId("help").showModal(),
};
["phone", "reference", "swipe", "residual", "correlation"].forEach((layer, i) => {
  LOOKING_KEYS[i + 1] = () => viewer.setLayer(layer);
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !list || byId("help").open) return;
  if (event.target === byId("search")) {
    if (event.key === "Escape" || event.key === "Enter") {
      byId("search").blur();
      if (event.key === "Enter" && list.shown.length) list.choose(list.shown[0]);
    }
    return;
  }
  if (points.isOpen) {
    if (points.key(event)) event.preventDefault();
    return;
  }
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const action = (trial ? TRIAL_KEYS : KEYS)[key] ?? LOOKING_KEYS[key];
  if (!action) return;
  event.preventDefault();
  action();
});

const click = (id, action) => byId(id).addEventListener("click", action);
click("accept", KEYS.a);
click("reject", KEYS.r);
click("set-points", KEYS.p);
click("undo", KEYS.u);
click("next", KEYS.j);
click("previous", KEYS.k);
click("save", TRIAL_KEYS.s);
click("back-to-points", setPoints);
click("discard", TRIAL_KEYS.Escape);
click("open-help", LOOKING_KEYS["?"]);
click("open-list", () => openList(true));
click("close-list", () => openList(false));
// Space and Enter are the page's keys, not those of the button that was clicked last.
document.addEventListener("click", (event) => event.target.closest?.("button")?.blur());

start();
