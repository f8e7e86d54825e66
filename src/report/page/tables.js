/* Tables that are sorted by a click on a head, and searched. */
const SEARCHED = 8;

/* What a cell is sorted by: its first number, a bound just beyond it. */
const measure = (text) => {
  const plain = text.replace(/\u2212/g, "-").replace(/(\d),(?=\d{3}\b)/g, "$1");
  const number = plain.match(/[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?/i);
  if (number === null) return null;
  const bound = /^[<\u2264]/.test(plain) ? -1 : /^[>\u2265]/.test(plain) ? 1 : 0;
  return [Number(number[0]), bound];
};

const compared = (numeric) => (a, b) => numeric
  ? a[0] - b[0] || a[1] - b[1]
  : a.localeCompare(b, "en", { numeric: true });

/* Rows in the order of a column; what is undefined comes last either way. */
const sorted = (rows, column, numeric, way) => {
  const keyed = rows.map((row) => {
    const cell = row.cells[column];
    const text = cell === undefined || cell.querySelector(".undefined") ? null : cell.textContent;
    return [text === null || !numeric ? text : measure(text), row];
  });
  const told = keyed.filter(([key]) => key !== null);
  const compare = compared(numeric);
  told.sort(([a], [b]) => way * compare(a, b));
  return [...told, ...keyed.filter(([key]) => key === null)].map(([, row]) => row);
};

const sortable = (table, rows) => {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const turn = () => {
      const before = head.getAttribute("aria-sort");
      const way = before === "ascending" ? "descending" : before === "descending" ? null : "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      if (way !== null) head.setAttribute("aria-sort", way);
      const numeric = head.classList.contains("num");
      table.tBodies[0].append(...(way === null ? rows : sorted(rows, column, numeric, way === "ascending" ? 1 : -1)));
    };
    head.replaceChildren(button("sort", head.textContent, turn));
  });
};

const searched = (scroll, rows) => {
  const input = make("input");
  input.type = "search";
  input.autocomplete = "off";
  const count = make("span", "note", counted(rows.length, "row"));
  count.setAttribute("role", "status");
  const texts = rows.map((row) => row.textContent.toLowerCase());
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const kept = texts.map((text) => words.every((word) => text.includes(word)));
    rows.forEach((row, index) => { row.hidden = !kept[index]; });
    const left = kept.filter(Boolean).length;
    count.textContent = left === rows.length ? counted(left, "row") : left + " of " + counted(rows.length, "row");
  });
  scroll.before(make("p", "search", make("label", "", "Rows with ", input), " ", count));
};

const equip = (scroll) => {
  const table = scroll.querySelector("table");
  const rows = [...table.tBodies[0].rows];
  if (rows.length > 1) sortable(table, rows);
  if (rows.length >= SEARCHED) searched(scroll, rows);
};

/* A row as the page writes it. */
const row = (texts, numeric) => make("tr", "", ...texts.map((text, column) => {
  const style = numeric[column] ? "num" : "";
  if (text === "") return make("td", style, hint(make("span", "undefined", "\u2013"), "undefined"));
  const cell = make(column === 0 && !numeric[0] ? "th" : "td", style, text);
  if (cell.tagName === "TH") cell.scope = "row";
  return cell;
}));

/* Rows that travel packed join the table when it is opened. */
const complete = async (scroll, script) => {
  try {
    const rows = JSON.parse(await unpack(script));
    const table = scroll.querySelector("table");
    const numeric = [...table.tHead.rows[0].cells].map((head) => head.classList.contains("num"));
    table.tBodies[0].append(...rows.map((texts) => row(texts, numeric)));
    scroll.parentElement.querySelector(".rest").remove();
  } finally {
    equip(scroll);
  }
};

for (const scroll of all(".table .scroll")) {
  const script = scroll.parentElement.querySelector("script.rows");
  if (script === null) { equip(scroll); continue; }
  const fold = scroll.parentElement;
  const opened = () => {
    if (!fold.open) return;
    fold.removeEventListener("toggle", opened);
    complete(scroll, script).catch(() => {});
  };
  fold.addEventListener("toggle", opened);
}
