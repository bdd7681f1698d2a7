"use strict";

const root = document.documentElement;
root.classList.add("js");
const SVG = "http://www.w3.org/2000/svg";
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

// Sliders: a range input lies over the pictures, so that mouse, touch and keys move it alike.
for (const slider of all(".slider")) {
  const range = slider.querySelector("input");
  const stage = slider.querySelector(".stage");
  const pictures = all("img", stage);
  const [left, right] = all("select", slider);
  const move = () => stage.style.setProperty("--at", `${range.value}%`);
  const choose = () => {
    pictures.forEach((picture, index) => {
      picture.classList.toggle("over", index === Number(left.value));
      picture.classList.toggle("shown", [left.value, right.value].includes(String(index)));
    });
    const names = [left, right].map((select) => select.selectedOptions[0].textContent);
    range.setAttribute("aria-valuetext", `${names[0]} on ${range.value} %, ${names[1]} on the rest`);
  };
  range.addEventListener("input", () => { move(); choose(); });
  // Steps of one percent are slow by key; with shift, ten.
  range.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -10, ArrowRight: 10 }[event.key];
    if (step && event.shiftKey) {
      event.preventDefault();
      range.value = Number(range.value) + step;
      range.dispatchEvent(new Event("input"));
    }
  });
  left.addEventListener("change", choose);
  right.addEventListener("change", choose);
  move();
  choose();
}

// Tables: numbers by value, whatever stands around them; empty cells last.
const value = (cell) => {
  const text = cell.textContent.trim();
  if (text === "") return null;
  if (text === "infinite") return Infinity;
  const match = /^[(]?([+−-]?[\d.,]*\d[\d.,]*(?:e[+-]?\d+)?)/i.exec(text);
  return match ? Number(match[1].replaceAll(",", "").replace("−", "-")) : text.toLowerCase();
};
const compare = (a, b) => {
  if (typeof a === typeof b) return a < b ? -1 : Number(a > b);
  return typeof a === "number" ? -1 : 1;
};
for (const table of all("table.sortable")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  heads.forEach((head, column) => head.firstChild.addEventListener("click", () => {
    const values = new Map([...body.rows].map((row) => [row, value(row.cells[column])]));
    // Numbers are mostly better where they are larger, so these come first; names from A.
    const first = [...values.values()].some((v) => typeof v === "number") ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const order = head.getAttribute("aria-sort") === first ? other : first;
    heads.forEach((each) => each.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", order);
    const rows = [...body.rows].sort((a, b) => {
      const [x, y] = [values.get(a), values.get(b)];
      if (x === null || y === null) return Number(x === null) - Number(y === null);
      return order === "ascending" ? compare(x, y) : compare(y, x);
    });
    body.append(...rows);
  }));
  // Words read better from the left; a line begins each group of columns.
  const starts = new Set();
  const groups = table.tHead.querySelector(".groups");
  if (groups) [...groups.cells].reduce((at, cell) => { starts.add(at); return at + cell.colSpan; }, 0);
  heads.forEach((head, column) => {
    const cells = [...body.rows].map((row) => row.cells[column]);
    const isText = column && cells.some((cell) => typeof value(cell) === "string");
    for (const cell of [head, ...cells]) {
      cell.classList.toggle("starts", column > 0 && starts.has(column));
      if (cell !== head) cell.classList.toggle("text", Boolean(isText));
    }
    if (isText) head.classList.add("words");
  });
}

// Charts: the values of every run at the step that is nearest to the pointer.
const element = (name, attributes) => {
  const made = document.createElementNS(SVG, name);
  for (const [key, text] of Object.entries(attributes)) made.setAttribute(key, text);
  return made;
};
for (const drawing of all("svg[data-values]")) {
  const runs = JSON.parse(drawing.dataset.values);
  const figure = drawing.parentElement;
  const marks = element("g", {});
  drawing.append(marks);
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.setAttribute("aria-live", "polite");
  tip.hidden = true;
  figure.append(tip);
  const places = [...new Set(runs.flatMap((run) => run.points.map((point) => point[2])))].sort((a, b) => a - b);
  let at = -1;
  const line = (name, text, kind) => {
    const row = document.createElement("div");
    const label = document.createElement("span");
    label.className = kind;
    label.textContent = `${name} `;
    const figureText = document.createElement("b");
    figureText.textContent = text;
    row.append(label, figureText);
    return row;
  };
  const hide = () => { tip.hidden = true; marks.replaceChildren(); at = -1; };
  const show = (index) => {
    at = Math.max(0, Math.min(places.length - 1, index));
    const x = places[at];
    const points = runs.flatMap((run) => run.points.filter((point) => point[2] === x).map((point) => ({ run, point })));
    marks.replaceChildren(
      element("path", { class: "rule", d: `M${x} ${drawing.dataset.top}V${drawing.dataset.bottom}` }),
      ...points.map(({ run, point }) => element("circle", { class: `run${run.number % 8}`, cx: x, cy: point[3], r: 3.5 })),
    );
    tip.replaceChildren(
      line("step", points[0].point[0], ""),
      ...points.map(({ run, point }) => line(run.name, point[1], `run${run.number % 8}`)),
    );
    tip.hidden = false;
    const box = drawing.getBoundingClientRect();
    const center = (x / drawing.viewBox.baseVal.width) * box.width;
    const beyond = center + 12 + tip.offsetWidth > box.width;
    const start = beyond ? center - 12 - tip.offsetWidth : center + 12;
    tip.style.left = `${Math.max(0, Math.min(start, box.width - tip.offsetWidth))}px`;
  };
  const nearest = (event) => {
    const box = drawing.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * drawing.viewBox.baseVal.width;
    const distances = places.map((place) => Math.abs(place - x));
    show(distances.indexOf(Math.min(...distances)));
  };
  drawing.addEventListener("pointermove", nearest);
  drawing.addEventListener("pointerdown", nearest);
  drawing.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") hide(); });
  drawing.addEventListener("focus", () => { if (at < 0 && drawing.matches(":focus-visible")) show(places.length - 1); });
  drawing.addEventListener("blur", hide);
  drawing.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -places.length, End: places.length }[event.key];
    if (event.key === "Escape") hide();
    if (!step) return;
    event.preventDefault();
    show(at + step);
  });
}

// Pictures are enlarged in a dialog, which any click and Escape close.
const dialog = document.getElementById("large");
for (const button of all(".enlarge")) {
  button.addEventListener("click", () => {
    dialog.querySelector("img")?.remove();
    dialog.append(button.querySelector("img").cloneNode());
    dialog.showModal();
  });
}
dialog.addEventListener("click", () => dialog.close());

// Light or dark: as the system has it until the reader chooses.
const theme = document.getElementById("theme");
const isDark = () => root.dataset.theme === "dark"
  || (!root.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
const label = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
theme.hidden = false;
theme.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; label(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", label);
label();
