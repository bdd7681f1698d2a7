// The list of pairs: filters, search, and only as many rows as can be seen.

const ROW = 40;
const MARGIN = 8;
const byId = (id) => document.getElementById(id);

export const FILTERS = ["all", "undecided", "refused", "accepted"];
const NAMES = { all: "All", undecided: "Undecided", refused: "Refused", accepted: "Accepted" };

export function isRefused(pair) {
  return pair.verdict ? pair.verdict === "reject" : !pair.ok;
}

const PASSES = {
  all: () => true,
  undecided: (pair) => !pair.verdict,
  refused: isRefused,
  accepted: (pair) => !isRefused(pair),
};

const plain = (text) => text.normalize("NFC").toLowerCase();

export class PairList {
  constructor(pairs, choose) {
    this.pairs = pairs;
    this.choose = choose;
    this.filter = "all";
    this.current = -1;
    this.rows = byId("rows");
    this.rows.addEventListener("scroll", () => this.draw());
    new ResizeObserver(() => this.draw()).observe(this.rows);
    byId("search").addEventListener("input", () => this.refresh());
    for (const filter of FILTERS) byId("filters").append(this.filterButton(filter));
    this.refresh();
  }

  filterButton(filter) {
    const button = document.createElement("button");
    button.setAttribute("role", "radio");
    button.dataset.filter = filter;
    button.append(NAMES[filter], document.createElement("b"));
    button.addEventListener("click", () => this.setFilter(filter));
    return button;
  }

  setFilter(filter) {
    this.filter = filter;
    this.rows.scrollTop = 0;
    this.refresh();
    if (this.place() < 0 && this.shown.length) this.choose(this.shown[0]);
  }

  // The pairs that pass filter and search, and how many pass each filter.
  refresh() {
    const wanted = plain(byId("search").value.trim());
    const named = wanted
      ? this.pairs.filter((pair) => plain(pair.stem).includes(wanted))
      : this.pairs;
    this.shown = named.filter(PASSES[this.filter]);
    for (const button of byId("filters").children) {
      const filter = button.dataset.filter;
      button.setAttribute("aria-checked", filter === this.filter);
      button.lastChild.textContent = named.filter(PASSES[filter]).length;
    }
    const decided = this.pairs.filter((pair) => pair.verdict).length;
    byId("progress").textContent = `${decided} of ${this.pairs.length} decided`;
    this.draw();
  }

  place() {
    return this.shown.findIndex((pair) => pair.index === this.current);
  }

  // The pair so many places further; from one that is not listed any more, the one that follows.
  neighbour(step) {
    const at = this.place();
    if (at >= 0) return this.shown[at + step];
    const after = this.shown.findIndex((pair) => pair.index > this.current);
    if (step > 0) return after < 0 ? undefined : this.shown[after + step - 1];
    return this.shown[(after < 0 ? this.shown.length : after) + step];
  }

  setCurrent(index) {
    this.current = index;
    const top = this.place() * ROW;
    const { scrollTop, clientHeight } = this.rows;
    if (top >= 0 && (top < scrollTop || top + ROW > scrollTop + clientHeight)) {
      this.rows.scrollTop = top - clientHeight / 2 + ROW / 2;
    }
    this.draw();
  }

  draw() {
    const first = Math.max(0, Math.floor(this.rows.scrollTop / ROW) - MARGIN);
    const count = Math.ceil(this.rows.clientHeight / ROW) + 2 * MARGIN;
    const spacer = byId("spacer");
    spacer.style.height = `${this.shown.length * ROW}px`;
    spacer.replaceChildren(
      ...this.shown.slice(first, first + count).map((pair, i) => this.row(pair, first + i)),
    );
  }

  row(pair, place) {
    const row = document.createElement("button");
    row.className = "row";
    row.tabIndex = -1;
    row.style.top = `${place * ROW}px`;
    row.dataset.state = isRefused(pair) ? "refused" : "accepted";
    row.dataset.verdict = pair.verdict;
    if (pair.index === this.current) row.setAttribute("aria-current", "true");
    const name = document.createElement("span");
    name.className = "name";
    name.textContent = pair.stem;
    name.title = pair.stem;
    const number = document.createElement("span");
    number.className = "number";
    number.textContent = pair.agreement ? `${Math.round(100 * pair.agreement)} %` : "–";
    const mark = document.createElement("span");
    mark.className = "mark";
    mark.textContent = { accept: "✓", reject: "✕", points: "⌖" }[pair.verdict] ?? "";
    row.append(name, number, mark);
    row.addEventListener("click", () => this.choose(pair));
    return row;
  }
}
