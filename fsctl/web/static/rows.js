// Elements, and tables that follow. Nothing here makes HTML of a string.

const FIRST_ROWS = 150;

/** Make an element; strings become text, functions listeners. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function set(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}


/** Rows by id: only those are touched whose thing is another than before. */
class Rows {
  /** `cells` fills a row; `page` has what a table must ask: `view`, `go`, `draw`. */
  constructor(page, table, cells, link) {
    Object.assign(this, { page, table, cells, link });
    this.body = table.tBodies[0];
    this.rows = new Map();
    this.most = FIRST_ROWS;
    this.empty = table.parentElement.querySelector(".empty");
    this.more = table.parentElement.querySelector(".more");
    this.more?.addEventListener("click", () => {
      this.most += 2 * FIRST_ROWS;
      page.draw();
    });
    if (link) this.listen();
    // WebKit forgets what a table is when it is laid out otherwise, as on a phone.
    for (const [names, role] of [["table", "table"], ["thead, tbody", "rowgroup"], ["tr", "row"], ["th", "columnheader"]]) {
      for (const each of table.parentElement.querySelectorAll(names)) each.setAttribute("role", role);
    }
  }

  listen() {
    this.body.addEventListener("focusin", (event) => this.rove(event.target.closest("tr")?.dataset.id));
    this.body.addEventListener("click", (event) => {
      const id = event.target.closest("tr")?.dataset.id;
      if (!id || event.ctrlKey || event.metaKey || event.shiftKey || String(getSelection())) return;
      event.preventDefault();
      this.page.go({ transfer: "", call: "", [this.link]: id }, true);
    });
    this.body.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
      const row = event.target.closest("tr");
      const next = { Home: this.body.firstElementChild, End: this.body.lastElementChild }[event.key];
      const to = next ?? (step > 0 ? row.nextElementSibling : step < 0 ? row.previousElementSibling : null);
      if ((step || next) && !event.ctrlKey && !event.metaKey && !event.altKey) event.preventDefault();
      if (to) this.focus(to.dataset.id);
    });
  }

  /** Of all rows one is reached by Tab. */
  rove(id) {
    if (id === this.at) return;
    const before = this.rows.get(this.at)?.row.querySelector("a");
    if (before) before.tabIndex = -1;
    this.at = id;
    const link = this.rows.get(id)?.row.querySelector("a");
    if (link) link.tabIndex = 0;
  }

  focus(id = this.at) {
    const link = this.rows.get(id)?.row.querySelector("a");
    link?.focus();
    link?.scrollIntoView({ block: "nearest" });
    return Boolean(link);
  }

  draw(things, nothing) {
    const shown = things.slice(0, this.most);
    const there = new Set(shown.map((thing) => String(thing.id)));
    let lostFocus = false;
    for (const [id, { row }] of this.rows) {
      if (there.has(id)) continue;
      lostFocus ||= row.contains(document.activeElement);
      row.remove();
      this.rows.delete(id);
    }
    let previous = null;
    for (const thing of shown) {
      const known = this.row(thing);
      const place = previous ? previous.nextElementSibling : this.body.firstElementChild;
      if (place !== known.row) this.body.insertBefore(known.row, place);
      previous = known.row;
    }
    if (this.link && !this.rows.has(this.at)) this.rove(shown[0] && String(shown[0].id));
    if (lostFocus) this.focus();
    const left = things.length - shown.length;
    if (this.more) {
      this.more.hidden = left <= 0;
      write(this.more, `Show more of ${left.toLocaleString()}`);
    }
    this.empty.hidden = things.length > 0;
    write(this.empty, nothing);
    this.table.hidden = things.length === 0;
  }

  row(thing) {
    const id = String(thing.id);
    let known = this.rows.get(id);
    if (!known) {
      const cells = this.table.tHead.rows[0].cells;
      const row = make("tr", { role: "row", "data-id": id });
      for (const head of cells) row.append(make("td", { role: "cell", class: head.className || null }));
      if (this.link) row.cells[0].append(make("a", { href: `#${this.link}=${encodeURIComponent(id)}`, tabindex: "-1" }));
      known = { row, thing: null };
      this.rows.set(id, known);
    }
    if (known.thing !== thing) {
      known.thing = thing;
      this.cells(known.row, thing, this.link ? known.row.cells[0].firstChild : known.row.cells[0]);
    }
    if (this.link) {
      if (this.page.view[this.link] === id) set(known.row, "aria-current", "true");
      else known.row.removeAttribute("aria-current");
    }
    return known;
  }

  tick(time) {
    for (const { row, thing } of this.rows.values()) time(row, thing);
  }
}

export { Rows, make, set, write };
