// A table with sorting and pages: of videos, and of participants.

// `columns` have a name, cells(item), and where they sort a key(item); `prefix` begins the ids of
// its elements; `changed` is called before rows are shown in another order or
// on another page, and `shown` after it. A page has `rows` rows.
function grid({ prefix, section, items, columns, link, noun, changed, shown, rows = 50 }) {
  const element_of = (name) => by_id(prefix + name);
  const state = { found: items, sort: null, falling: false, page: 0 };

  function compare(a, b) {
    const column = columns.find((one) => one.name === state.sort);
    const [p, q] = [column.key(a), column.key(b)];
    if (p === null || q === null) return (p === null) - (q === null) || a.place - b.place;
    const order = typeof p === "string" ? compare_names(p, q) : p - q;
    return (state.falling ? -order : order) || a.place - b.place;
  }

  function sort_and_show() {
    state.found = [...state.found].sort(compare);
    show();
  }

  function show() {
    const n = state.found.length;
    const pages = Math.max(1, Math.ceil(n / rows));
    state.page = Math.min(state.page, pages - 1);
    const first = state.page * rows;
    const some = state.found.slice(first, first + rows);
    element_of("rows").replaceChildren(...some.map(row));
    element_of("found").textContent = n
      ? `${(first + 1).toLocaleString("en")}–${(first + some.length).toLocaleString("en")} of ${n.toLocaleString("en")} ${noun}s`
      : `No ${noun} matches`;
    element_of("where").textContent = `Page ${state.page + 1} of ${pages}`;
    element_of("first").disabled = element_of("back").disabled = state.page === 0;
    element_of("last").disabled = element_of("forward").disabled = state.page >= pages - 1;
    element_of("pages").hidden = pages === 1;
    show_heads();
    shown();
  }

  function row(item) {
    const cells = columns.map((column) => {
      const attributes = { class: (column.class_of && column.class_of(item)) || style_of(column) };
      const inside = column.cells(item);
      if (column === columns[0]) return html("th", { ...attributes, scope: "row" }, ...inside);
      return html("td", attributes, ...inside);
    });
    const made = html("tr", {}, ...cells);
    made.addEventListener("click", (event) => {
      if (!event.target.closest("a") && String(getSelection()) === "") location.hash = link(item);
    });
    return made;
  }

  function show_heads() {
    const made = columns.map((column) => {
      const attributes = { scope: "col", class: style_of(column) };
      if (!column.key) return html("th", attributes, column.name);
      const here = column.name === state.sort;
      if (here) attributes["aria-sort"] = state.falling ? "descending" : "ascending";
      const arrow = html("span", { "aria-hidden": "true" }, here ? (state.falling ? " ↓" : " ↑") : "");
      const button = html("button", { type: "button" }, column.name, arrow);
      button.addEventListener("click", () => sort_by(column));
      return html("th", attributes, button);
    });
    element_of("heads").replaceChildren(...made);
  }

  function sort_by(column) {
    state.falling = column.name === state.sort ? !state.falling : Boolean(column.falling);
    state.sort = column.name;
    state.page = 0;
    changed(state);
    sort_and_show();
    element_of("heads").querySelector("[aria-sort] button").focus();
  }

  function turn_to(page) {
    state.page = page;
    changed(state);
    show();
    by_id(section).scrollIntoView();
  }

  element_of("first").addEventListener("click", () => turn_to(0));
  element_of("back").addEventListener("click", () => turn_to(state.page - 1));
  element_of("forward").addEventListener("click", () => turn_to(state.page + 1));
  element_of("last").addEventListener("click", () => turn_to(Math.ceil(state.found.length / rows) - 1));

  return {
    state,
    // Show these items, sorted by a column that exists, and a page from 0.
    set(found, sort, falling, page) {
      const column = columns.find((one) => one.name === sort && one.key) || columns.find((one) => one.key);
      state.sort = column.name;
      state.falling = falling === null ? Boolean(column.falling) : falling;
      state.page = Math.max(0, page);
      state.found = found;
      sort_and_show();
    },
    is_falling_first: (sort) => Boolean((columns.find((one) => one.name === sort) || {}).falling),
  };
}

const style_of = (column) =>
  [column.number && "number", column.minor && "minor", column.whole && "nowrap"].filter(Boolean).join(" ") || null;

// By code points, as Python sorts; names of participants are sorted where they are made.
const compare_names = (p, q) => (p > q) - (p < q);
