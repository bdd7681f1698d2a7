// Pairs of points, set by hand in the two photos of a pair.

import * as api from "./api.js";

const byId = (id) => document.getElementById(id);
const FEWEST = 4;
const NAMES = ["phone", "reference"];
// CSS px for a px of the photo under the loupe; the share of a finger's way that a point goes.
const LOUPE = 3;
const FINE = 0.25;

export class Points {
  constructor({ tried, left }) {
    Object.assign(this, { tried, left, items: [], selected: -1, side: 0, turn: 0 });
    this.panes = [...document.querySelectorAll(".pane")];
    this.panes.forEach((pane, camera) => this.listen(pane, camera));
    byId("new-point").addEventListener("click", () => this.addInTheMiddle());
    byId("delete-point").addEventListener("click", () => this.remove());
    byId("align").addEventListener("click", () => this.align());
    byId("leave-points").addEventListener("click", () => this.leave());
    new ResizeObserver(() => this.fit()).observe(byId("panes"));
  }

  get isOpen() {
    return !byId("points").hidden;
  }

  get complete() {
    return this.items.filter(([phone, reference]) => phone && reference);
  }

  open(pair, details) {
    const turn = ++this.turn;
    if (this.index !== pair.index) {
      this.items = details.points.map(([a, b, c, d]) => [[a, b], [c, d]]);
      this.index = pair.index;
      this.selected = -1;
    }
    byId("points").hidden = false;
    byId("points-stem").textContent = pair.stem;
    this.busy = false;
    this.say("");
    this.side = 0;
    this.panes.forEach((pane, camera) => {
      pane.querySelector(".photo").replaceChildren();
      pane.querySelector("figcaption").textContent = `${NAMES[camera]}: ${details.files[camera]}`;
      this.load(turn, camera);
    });
    this.draw();
  }

  // First what is quickly there, then every pixel.
  async load(turn, camera) {
    for (const whole of [0, 1]) {
      try {
        const address = api.photoAddress(this.index, NAMES[camera], whole);
        const image = await api.loadImage(address);
        if (turn !== this.turn) return;
        const photo = this.panes[camera].querySelector(".photo");
        photo.querySelector("img")?.remove();
        photo.prepend(image);
        this.fit();
      } catch (error) {
        if (turn === this.turn) this.say(error.message);
        return;
      }
    }
  }

  setSizes(sizes) {
    this.sizes = sizes;
  }

  close() {
    byId("points").hidden = true;
    byId("loupe").hidden = true;
  }

  leave() {
    this.turn++;
    this.close();
    this.left();
  }

  listen(pane, camera) {
    const photo = pane.querySelector(".photo");
    photo.addEventListener("pointerdown", (event) => {
      if (event.button || this.busy || !photo.querySelector("img")) return;
      event.preventDefault();
      photo.setPointerCapture(event.pointerId);
      this.side = camera;
      const number = event.target.closest(".point")?.dataset.number;
      if (number === undefined) this.place(camera, this.at(photo, camera, event));
      else this.selected = Number(number);
      this.drag = { camera, x: event.clientX, y: event.clientY };
      this.draw();
      this.magnify(camera);
    });
    photo.addEventListener("pointermove", (event) => {
      if (this.drag?.camera !== camera) return;
      const { width } = photo.getBoundingClientRect();
      const gain = event.pointerType === "touch" || event.shiftKey ? FINE : 1;
      const step = (gain * this.sizes[camera][0]) / width;
      this.move(camera, (event.clientX - this.drag.x) * step, (event.clientY - this.drag.y) * step);
      Object.assign(this.drag, { x: event.clientX, y: event.clientY });
    });
    for (const end of ["pointerup", "pointercancel"]) {
      photo.addEventListener(end, () => {
        this.drag = null;
        byId("loupe").hidden = true;
        const item = this.items[this.selected];
        if (item && !item[1 - camera]) this.side = 1 - camera;
        this.draw();
      });
    }
  }

  at(photo, camera, event) {
    const { left, top, width, height } = photo.getBoundingClientRect();
    const [w, h] = this.sizes[camera];
    return [((event.clientX - left) / width) * w - 0.5, ((event.clientY - top) / height) * h - 0.5];
  }

  // A click belongs to the point that lacks this photo's place, or begins a new one.
  place(camera, at) {
    let number = this.items.findIndex((item) => !item[camera]);
    if (number < 0) number = this.items.push([null, null]) - 1;
    this.items[number][camera] = this.clamped(camera, at);
    this.selected = number;
    this.say("");
  }

  addInTheMiddle() {
    if (this.busy) return;
    const middle = (camera) => this.sizes[camera].map((n) => (n - 1) / 2);
    this.selected = this.items.push([middle(0), middle(1)]) - 1;
    this.say("");
    this.draw();
  }

  clamped(camera, at) {
    return at.map((value, axis) => Math.min(this.sizes[camera][axis] - 1, Math.max(0, value)));
  }

  move(camera, dx, dy) {
    const item = this.items[this.selected];
    if (!item?.[camera]) return;
    item[camera] = this.clamped(camera, [item[camera][0] + dx, item[camera][1] + dy]);
    this.draw();
    this.magnify(camera);
  }

  remove() {
    if (this.busy || this.selected < 0) return;
    this.items.splice(this.selected, 1);
    this.selected = Math.min(this.selected, this.items.length - 1);
    byId("loupe").hidden = true;
    this.draw();
  }

  async align() {
    const points = this.complete.map(([phone, reference]) => [...phone, ...reference]);
    if (points.length < FEWEST || this.busy) return;
    const { turn } = this;
    this.busy = true;
    this.say("aligning …");
    this.draw();
    try {
      const result = await api.align(this.index, points);
      if (turn !== this.turn) return;
      if (result.ok) {
        this.close();
        this.tried(result, points);
      } else this.say(`Not aligned: ${result.status}.`);
    } catch (error) {
      if (turn === this.turn) this.say(error.message);
    } finally {
      this.busy = false;
      this.draw();
    }
  }

  say(sentence) {
    byId("points-says").textContent = sentence;
  }

  draw() {
    for (const [camera, pane] of this.panes.entries()) {
      const photo = pane.querySelector(".photo");
      photo.querySelectorAll(".point").forEach((mark) => mark.remove());
      pane.classList.toggle("active", camera === this.side);
      if (!this.sizes) continue;
      this.items.forEach((item, number) => {
        if (item[camera]) photo.append(this.mark(camera, item[camera], number));
      });
    }
    const count = this.complete.length;
    const waiting = this.items.findIndex((item) => !item[0] || !item[1]);
    byId("align").disabled = this.busy || count < FEWEST;
    byId("delete-point").disabled = this.busy || this.selected < 0;
    const missing = waiting < 0 ? "" : NAMES[this.items[waiting][0] ? 1 : 0];
    byId("points-hint").textContent = missing
      ? `point ${waiting + 1}: click the same place in the ${missing} photo`
      : count < FEWEST
        ? `${count} of ${FEWEST} points; spread them over what both photos show`
        : `${count} points`;
  }

  mark(camera, [x, y], number) {
    const mark = document.createElement("span");
    mark.className = "point";
    mark.dataset.number = number;
    mark.dataset.label = number + 1;
    mark.classList.toggle("selected", number === this.selected);
    const [width, height] = this.sizes[camera];
    mark.style.left = `${(100 * (x + 0.5)) / width}%`;
    mark.style.top = `${(100 * (y + 0.5)) / height}%`;
    return mark;
  }

  // The photo around the selected point, enlarged, beside the point.
  magnify(camera) {
    const at = this.items[this.selected]?.[camera];
    const photo = this.panes[camera].querySelector(".photo");
    const image = photo.querySelector("img");
    const loupe = byId("loupe");
    if (!at || !image) return;
    const scale = image.naturalWidth / this.sizes[camera][0];
    const side = (loupe.width / LOUPE) * scale;
    const [x, y] = at.map((value) => (value + 0.5) * scale - side / 2);
    const context = loupe.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.fillStyle = "#222";
    context.fillRect(0, 0, loupe.width, loupe.height);
    context.drawImage(image, x, y, side, side, 0, 0, loupe.width, loupe.height);
    cross(context, loupe.width / 2);
    loupe.hidden = false;
    const box = photo.getBoundingClientRect();
    const left = box.left + ((at[0] + 0.5) / this.sizes[camera][0]) * box.width;
    const top = box.top + ((at[1] + 0.5) / this.sizes[camera][1]) * box.height;
    const room = loupe.width + 32;
    loupe.style.left = `${left + room > innerWidth ? Math.max(0, left - room + 8) : left + 24}px`;
    loupe.style.top = `${top > room ? top - room + 8 : top + 24}px`;
  }

  fit() {
    for (const pane of this.panes) {
      const photo = pane.querySelector(".photo");
      const image = photo.querySelector("img");
      if (!image) continue;
      const room = pane.clientHeight - pane.querySelector("figcaption").offsetHeight;
      const scale = Math.min(pane.clientWidth / image.naturalWidth, room / image.naturalHeight);
      photo.style.width = `${Math.floor(image.naturalWidth * scale)}px`;
      photo.style.height = `${Math.floor(image.naturalHeight * scale)}px`;
    }
  }

  key(event) {
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const arrow = arrows[event.key];
    const step = event.shiftKey ? 20 : 1;
    if (arrow) this.move(this.side, arrow[0] * step, arrow[1] * step);
    else if (event.key === "Tab") this.switchSide();
    else if (event.key === "[" || event.key === "]") this.select(event.key === "[" ? -1 : 1);
    else if (event.key === "Delete" || event.key === "Backspace") this.remove();
    else if (event.key === "Enter") this.align();
    else if (event.key === "n") this.addInTheMiddle();
    else if (event.key === "Escape") this.leave();
    else return false;
    return true;
  }

  switchSide() {
    this.side = 1 - this.side;
    this.draw();
    this.magnify(this.side);
  }

  select(step) {
    if (!this.items.length) return;
    this.selected = (this.selected + step + this.items.length) % this.items.length;
    this.draw();
    this.magnify(this.side);
  }
}

function cross(context, middle) {
  for (const [colour, width] of [["#000", 3], ["#fff", 1]]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.beginPath();
    for (const [from, to] of [[-20, -5], [5, 20]]) {
      context.moveTo(middle + from, middle);
      context.lineTo(middle + to, middle);
      context.moveTo(middle, middle + from);
      context.lineTo(middle, middle + to);
    }
    context.stroke();
  }
}
