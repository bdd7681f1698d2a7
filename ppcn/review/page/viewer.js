// The picture: two photos on one place, blinked, swiped, subtracted, correlated.

import * as api from "./api.js";

const byId = (id) => document.getElementById(id);
const LAYERS = [
  ["phone", "Phone"],
  ["reference", "Reference"],
  ["swipe", "Swipe"],
  ["residual", "Residual"],
  ["correlation", "Correlation"],
];
const BOTH = ["phone", "reference"];
// Pairs whose pictures are kept, and how many are fetched beforehand.
const KEPT = 12;
const AHEAD = 3;
const ZOOM = 4;

export class Viewer {
  constructor(facts, report) {
    this.facts = facts;
    this.report = report;
    this.layer = "phone";
    this.isHeld = false;
    this.divider = 0.5;
    this.images = new Map();
    this.turn = 0;
    LAYERS.forEach(([name, label], i) => byId("layers").append(this.layerButton(name, label, i)));
    byId("toggle-windows").addEventListener("click", () => this.toggleWindows());
    byId("toggle-zoom").addEventListener("click", () => this.toggleZoom());
    new ResizeObserver(() => this.fit()).observe(byId("stage"));
    this.followPointer();
  }

  layerButton(name, label, i) {
    const button = document.createElement("button");
    button.setAttribute("role", "radio");
    button.dataset.layer = name;
    button.title = `${label} (${i + 1})`;
    button.textContent = label;
    button.addEventListener("click", () => this.setLayer(name));
    return button;
  }

  // Shows a pair as soon as its pictures are there; `ahead` are looked at next.
  async show(pair, details, trial, ahead) {
    const turn = ++this.turn;
    Object.assign(this, { pair, trial, details: null, windowList: null });
    this.say("");
    byId("windows").hidden = true;
    const slow = setTimeout(() => this.clear(), 150);
    try {
      const images = await Promise.all(BOTH.map((layer) => this.image(pair.index, layer, trial, "high")));
      if (turn !== this.turn) return;
      byId("pictures").replaceChildren(...images);
    } catch (error) {
      if (turn === this.turn) this.fail(error);
    } finally {
      clearTimeout(slow);
    }
    if (turn !== this.turn) return;
    this.fit();
    this.draw();
    document.documentElement.dataset.shown = pair.stem;
    document.documentElement.dataset.shownAt = performance.now();
    this.details = await details;
    if (turn !== this.turn) return;
    this.draw();
    if (this.wantsWindows) this.loadWindows();
    this.fetchAhead(turn, ahead);
  }

  clear() {
    byId("pictures").replaceChildren();
  }

  async fetchAhead(turn, ahead) {
    const layers = BOTH.includes(this.layer) || this.layer === "swipe" ? BOTH : [...BOTH, this.layer];
    for (const pair of ahead.slice(0, AHEAD + 1)) {
      for (const layer of layers) {
        if (turn !== this.turn) return;
        await this.image(pair.index, layer, 0, "low").catch(() => {});
      }
    }
  }

  image(index, layer, trial, priority) {
    const key = `${index} ${trial}`;
    if (!this.images.has(key)) this.images.set(key, {});
    const own = this.images.get(key);
    this.images.delete(key);
    this.images.set(key, own);
    if (this.images.size > KEPT) this.images.delete(this.images.keys().next().value);
    if (!own[layer]) {
      own[layer] = api.loadImage(api.pictureAddress(index, layer, trial), priority);
      own[layer].then((image) => (image.dataset.layer = layer)).catch(() => delete own[layer]);
    }
    return own[layer];
  }

  setLayer(layer) {
    this.layer = layer;
    this.draw();
  }

  blink() {
    this.setLayer(this.layer === "phone" ? "reference" : "phone");
  }

  hold(isHeld) {
    this.isHeld = isHeld;
    this.draw();
  }

  moveDivider(share) {
    this.divider = Math.min(1, Math.max(0, share));
    this.draw();
  }

  toggleWindows() {
    this.wantsWindows = !this.wantsWindows;
    byId("toggle-windows").setAttribute("aria-pressed", this.wantsWindows);
    if (this.wantsWindows && this.details) this.loadWindows();
    this.draw();
  }

  toggleZoom() {
    const frame = byId("frame");
    const isOn = frame.classList.toggle("zoomed");
    byId("toggle-zoom").setAttribute("aria-pressed", isOn);
    frame.style.transform = isOn ? `scale(${ZOOM})` : "";
  }

  // What is to be seen now, as far as it is there.
  async draw() {
    const held = { phone: "reference", reference: "phone" }[this.layer] ?? "phone";
    const layer = this.isHeld && this.layer !== "swipe" ? held : this.layer;
    for (const button of byId("layers").children) {
      button.setAttribute("aria-checked", button.dataset.layer === this.layer);
    }
    if (!BOTH.includes(layer) && layer !== "swipe") await this.addLayer(layer);
    const top = layer === "swipe" ? "reference" : layer;
    for (const image of byId("pictures").children) {
      const isTop = image.dataset.layer === top;
      image.classList.toggle("top", isTop);
      const cut = layer === "swipe" && isTop ? `inset(0 0 0 ${100 * this.divider}%)` : "";
      image.style.clipPath = cut;
    }
    byId("divider").hidden = layer !== "swipe";
    byId("divider").style.left = `${100 * this.divider}%`;
    const names = Object.fromEntries(LAYERS);
    const alone = this.details?.ok === false && layer !== "phone" ? ", not aligned" : "";
    byId("shows").textContent = (layer === "swipe" ? "Phone | Reference" : names[layer]) + alone;
    byId("stage").dataset.layer = layer;
    this.drawLegend(layer);
    this.drawWindows();
  }

  async addLayer(layer) {
    const turn = this.turn;
    const present = [...byId("pictures").children].map((image) => image.dataset.layer);
    if (present.includes(layer) || !this.pair || !present.length) return;
    try {
      const image = await this.image(this.pair.index, layer, this.trial, "high");
      if (turn === this.turn) byId("pictures").append(image);
    } catch (error) {
      if (turn === this.turn) this.fail(error);
    }
  }

  drawLegend(layer) {
    const entries = [];
    if (layer === "residual") entries.push(ramp(`difference: 0 to ${this.facts.worst} grey levels, tone matched`));
    if (layer === "correlation") entries.push(ramp("correlation: 0 to 1"), note("dark: too flat to tell"));
    if (this.wantsWindows) entries.push(...this.windowEntries());
    byId("legend").replaceChildren(...entries);
    byId("legend").hidden = !entries.length;
  }

  windowEntries() {
    if (!this.windowList) return [note(this.windowsSay ?? "windows are being cut …")];
    const counts = new Map();
    for (const [, , outcome] of this.windowList) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
    const entries = [];
    for (const [outcome, { colour, name, meaning }] of Object.entries(this.facts.outcomes)) {
      if (!counts.has(outcome)) continue;
      const entry = note(`${counts.get(outcome)} ${name}`);
      const sample = document.createElement("i");
      sample.style.background = `rgb(${colour.join()})`;
      entry.prepend(sample);
      entry.title = meaning;
      entries.push(entry);
    }
    return entries.length ? entries : [note("no window fits on what both cameras see")];
  }

  async loadWindows() {
    const { turn, pair, trial, details } = this;
    this.windowsSay = null;
    if (this.windowList) return this.draw();
    if (!details.ok) {
      this.windowsSay = "a refused pair has no windows";
      return this.draw();
    }
    try {
      const { windows } = await api.windows(pair.index, trial);
      if (turn === this.turn) this.windowList = windows;
    } catch (error) {
      if (turn === this.turn) this.windowsSay = error.message;
    }
    if (turn === this.turn) this.draw();
  }

  drawWindows() {
    const canvas = byId("windows");
    canvas.hidden = !(this.wantsWindows && this.windowList);
    if (canvas.hidden) return;
    const { offsetWidth: width, offsetHeight: height } = byId("frame");
    const density = window.devicePixelRatio || 1;
    Object.assign(canvas, { width: width * density, height: height * density });
    const context = canvas.getContext("2d");
    const scale = canvas.width / this.details.phone_size[0];
    const side = this.facts.size * scale - 2;
    context.lineWidth = Math.max(1.5, side / 30);
    for (const [x, y, outcome] of this.windowList) {
      const left = x * scale + 1;
      const top = y * scale + 1;
      context.strokeStyle = `rgb(${this.facts.outcomes[outcome].colour.join()})`;
      context.strokeRect(left, top, side, side);
      if (outcome === "kept") continue;
      context.beginPath();
      context.moveTo(left, top);
      context.lineTo(left + side, top + side);
      context.stroke();
    }
  }

  // The frame is as large as the stage lets a picture of this shape be.
  fit() {
    const image = byId("pictures").firstElementChild;
    if (!image) return;
    const { clientWidth, clientHeight } = byId("stage");
    const scale = Math.min(clientWidth / image.naturalWidth, clientHeight / image.naturalHeight);
    byId("frame").style.width = `${Math.floor(image.naturalWidth * scale)}px`;
    byId("frame").style.height = `${Math.floor(image.naturalHeight * scale)}px`;
    this.drawWindows();
  }

  followPointer() {
    const frame = byId("frame");
    const share = (event) => {
      const { left, top, width, height } = byId("stage").getBoundingClientRect();
      return [(event.clientX - left) / width, (event.clientY - top) / height];
    };
    const slide = (event) => {
      const { left, width } = frame.getBoundingClientRect();
      this.moveDivider((event.clientX - left) / width);
    };
    frame.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      frame.setPointerCapture(event.pointerId);
      if (this.layer === "swipe") slide(event);
      else this.hold(true);
    });
    frame.addEventListener("pointermove", (event) => {
      if (this.layer === "swipe" && event.buttons) slide(event);
      const [x, y] = share(event);
      frame.style.transformOrigin = `${100 * x}% ${100 * y}%`;
    });
    for (const end of ["pointerup", "pointercancel"]) {
      frame.addEventListener(end, () => this.hold(false));
    }
    frame.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  fail(error) {
    this.clear();
    this.say(error.message);
  }

  say(sentence) {
    byId("message").textContent = sentence;
    byId("message").hidden = !sentence;
  }
}

function note(text) {
  const entry = document.createElement("span");
  entry.append(text);
  return entry;
}

function ramp(text) {
  const entry = note(text);
  const sample = document.createElement("i");
  sample.className = "ramp";
  entry.prepend(sample);
  return entry;
}
