/* The reader of dialogues: which items, page by page. */
const PER_PAGE = 20;
const KINDS = [
  ["all", "all items"],
  ["changed", "changed its answer"],
  ["up", "wrong to right"],
  ["down", "right to wrong"],
  ["unparsed", "unparsed in a round"],
  ["differs", "ends differently between conditions"],
];

const reader = at("reader");
const sources = all("script.dialogues");
let found = [];
let first = 0;

const happened = (item, condition, kind) => {
  const said = item.rounds[condition];
  if (said.length === 0) return false;
  const start = said[0][3];
  const end = said[said.length - 1][3];
  if (kind === "changed") return said.some((raw) => raw[3] !== start);
  if (kind === "unparsed") return said.some((raw) => raw[4] === null);
  if (item.label === null) return kind === "all";
  if (kind === "up") return start !== item.label && end === item.label;
  if (kind === "down") return start === item.label && end !== item.label;
  return true;
};
const chosen = () => {
  const condition = at("condition").value;
  return condition === "any" ? data.conditions.map((_, index) => index) : [Number(condition)];
};
const keeps = (item, kind) => {
  if (kind === "differs") {
    const ends = item.rounds.filter((said) => said.length > 0).map((said) => said[said.length - 1][3]);
    return new Set(ends).size > 1;
  }
  return chosen().some((condition) => happened(item, condition, kind));
};

const turnTo = (start) => {
  first = start;
  const page = found.slice(first, first + PER_PAGE);
  at("items").replaceChildren(...page.map(entry));
  const range = page.length === 0 ? "No item" : first + 1 + "\u2013" + (first + page.length) + " of " + found.length + " item" + (found.length === 1 ? "" : "s");
  at("count").textContent = range;
  for (const end of ["", "-below"]) {
    at("back" + end).disabled = first === 0;
    at("on" + end).disabled = first + PER_PAGE >= found.length;
  }
  at("below").hidden = found.length <= PER_PAGE;
};

const filter = () => {
  const words = at("find").value.trim().toLowerCase();
  const category = at("category").value;
  const pool = data.items.filter((item) => (category === "all" || item.category === data.categories[Number(category)])
    && (words === "" || [item.id, item.text, ...item.options.map((option) => option[0])].some((text) => text.toLowerCase().includes(words))));
  const kind = at("kind").value;
  KINDS.forEach(([name, label], index) => {
    at("kind").options[index].textContent = label + " (" + pool.filter((item) => keeps(item, name)).length + ")";
  });
  found = pool.filter((item) => keeps(item, kind));
  at("only").disabled = at("condition").value === "any";
  turnTo(0);
};

const open = async () => {
  const source = sources[Number(at("source").value)];
  const text = await unpack(source);
  if (source !== sources[Number(at("source").value)]) return;
  data = JSON.parse(text);
  fill(at("condition"), [["any", "any condition"], ...data.conditions.map((condition, index) => [index, condition.name])]);
  fill(at("category"), [["all", "all categories"], ...data.categories.map((name, index) => [index, name])]);
  at("kept").textContent = data.note;
  const abouts = data.conditions.filter((condition) => condition.about !== "").map((condition) => condition.name + ": " + condition.about);
  at("abouts").textContent = abouts.length === 0 ? "" : abouts.join("; ") + ".";
  filter();
};

const move = (step) => {
  turnTo(first + step);
  at("count").scrollIntoView({ block: "nearest" });
};
const begin = () => {
  if (!reader.hidden) return;
  reader.hidden = false;
  open().catch(() => {
    const note = "This browser cannot open the dialogues; they also lie beside this page, in MODEL/TASK/CONDITION/turns-*.jsonl.";
    reader.replaceChildren(make("p", "note", note));
  });
};

if (reader !== null) {
  fill(at("kind"), KINDS);
  at("source").addEventListener("change", open);
  for (const id of ["condition", "category", "kind", "only"]) at(id).addEventListener("change", filter);
  at("find").addEventListener("input", filter);
  for (const end of ["", "-below"]) {
    at("back" + end).addEventListener("click", () => move(-PER_PAGE));
    at("on" + end).addEventListener("click", () => move(PER_PAGE));
  }
  whenNear(reader.parentElement, begin);
}
