/* An opened item: the question, what was chosen, and every round of every condition. */
const ROLES = {
  stereotyped: { mark: "S", tone: "s", name: "stereotyped" },
  other: { mark: "O", tone: "o", name: "other" },
  unknown: { mark: "U", tone: "u", name: "unknown" },
};
const WORDS = { ambig: "ambiguous context", disambig: "disambiguated context", neg: "negative question", nonneg: "non-negative question" };
let data = null;
/* The concept that words are coloured by, or null. */
let coloured = null;

/* A turn is [user, answer, per-mille probabilities, choice or null, parsed or null, ended, agreeing orders, orders,
   exchanges before the answer: [user, answer, ended]]. */
const turn = (raw) => ({
  user: data.strings[raw[0]], answer: data.strings[raw[1]], shares: raw[2], choice: raw[3], parsed: raw[4],
  ended: raw[5], agree: raw[6], orders: raw[7],
  before: raw[8].map(([user, answer, ended]) => ({ user: data.strings[user], answer: data.strings[answer], ended })),
});
const rounds = (item, condition) => item.rounds[condition].map(turn);
const share = (value) => value === null ? "\u2013" : value === 0 ? "<0.1" : value === 1000 ? ">99.9" : (value / 10).toFixed(1);
const letter = (item, option) => item.blank ? null : "(" + String.fromCharCode(97 + option) + ")";
const named = (item, option) => {
  const words = item.options[option] ? item.options[option][0] : "option " + option;
  return letter(item, option) || "\u201c" + words + "\u201d";
};

const role = (item, option, unparsed) => {
  const choice = item.options[option];
  const kind = choice ? ROLES[choice[1]] : { mark: "?", tone: "", name: "no option" };
  const right = item.label === option;
  const node = make("span", "role " + kind.tone + (right ? " right" : ""), kind.mark + (unparsed ? "?" : ""));
  const words = kind.name + (right ? ", right" : "") + (unparsed ? ", the text is unparsed" : "");
  return hint(labelled(node, "img", words), words);
};

const path = (item, condition) => {
  const line = make("span", "path");
  rounds(item, condition).forEach((said, round) => {
    if (round > 0) line.append(make("i", "", "\u2192"));
    line.append(role(item, said.choice, said.parsed === null));
  });
  if (item.rounds[condition].length === 0) line.append("not run");
  return line;
};

const paths = (item) => {
  const lines = make("span", "paths");
  data.conditions.forEach((condition, index) => lines.append(make("span", "", condition.name), path(item, index)));
  return lines;
};

const bars = (item, said) => {
  const grid = make("div", "bars");
  item.options.forEach((option, index) => {
    const value = said.shares[index] ?? null;
    const fill = make("span", "fill " + ROLES[option[1]].tone);
    fill.style.width = (value === null ? 0 : value / 10) + "%";
    const mark = index === said.choice ? " chosen" : "";
    grid.append(
      role(item, index),
      make("span", mark.trim(), letter(item, index) || option[0]),
      make("span", "track", fill),
      make("span", "value" + mark, share(value) + (value === null ? "" : "\u2009%")),
    );
  });
  return grid;
};

/* What was said in a round, as text or word by word. */
const spoken = (item, condition, round, said, told) => {
  const end = coloured === null ? 0 : reach(data, coloured);
  const words = (speaker) => coloured === null ? null : worded(item.words[condition], round, speaker, coloured, end, told);
  const [own, answered] = [words("user"), words("model")];
  const parts = [...said.before, said];
  return parts.flatMap((part, index) => {
    const user = make("p", "user", make("span", "who", "user"));
    if (own !== null && index === 0) user.append(own);
    else if (Array.isArray(part.user)) user.append(part.user[0], make("span", "above", "[the question above]"), part.user[1]);
    else user.append(part.user);
    const model = make("p", "model", make("span", "who", "model"));
    model.append(answered !== null && index === parts.length - 1 ? answered : part.answer || "\u2003");
    if (!part.ended) model.append(make("span", "cut", " [cut at the length limit]"));
    /* The user's words are those of the whole round, and stand once. */
    return own !== null && index > 0 ? [model] : [user, model];
  });
};

/* What was chosen, in words. */
const facts = (item, condition, round, said) => {
  const list = make("ul", "facts");
  const choice = make("li", "", "chosen: ", make("b", "", said.choice === null ? "none" : named(item, said.choice)));
  if (item.label !== null) choice.append(said.choice === item.label ? " \u2713 right" : " \u2717 wrong");
  const before = round > 0 ? item.rounds[condition][round - 1][3] : said.choice;
  if (before !== said.choice) choice.append(", ", make("span", "flag", "was " + (before === null ? "none" : named(item, before))));
  list.append(choice);
  const parsed = said.parsed === null
    ? make("li", "", "its text: ", make("b", "warn", "unparsed"))
    : make("li", "", "its text says: ", make("b", said.parsed === said.choice ? "" : "warn", named(item, said.parsed)));
  list.append(parsed);
  if (said.orders > 1) list.append(make("li", "", said.agree + " of " + said.orders + " option orders agree"));
  return list;
};

const cell = (item, condition, round, every, told) => {
  const raw = item.rounds[condition][round];
  const box = make("div", "cell");
  const head = every ? "every condition" : data.conditions[condition].name;
  box.append(hint(make("h4", "", head), every ? "" : data.conditions[condition].about));
  if (!raw) {
    box.append(make("p", "note", "not run"));
    return box;
  }
  const said = turn(raw);
  box.append(...spoken(item, condition, round, said, told));
  if (item.options.length === 0) return box;
  box.append(bars(item, said), facts(item, condition, round, said));
  return box;
};

/* Each condition's answers, with the scores of the concepts over its rounds. */
const tracks = (item) => {
  if (data.concepts.length === 0) return paths(item);
  const heads = ["condition", "answers", ...data.concepts.map((concept) => concept.name)];
  const head = make("tr", "", ...heads.map((name) => make("th", "", name)));
  data.concepts.forEach((concept, index) => hint(head.cells[index + 2], "score at layer " + concept.layer + ", within-class s.d."));
  const rows = data.conditions.map((condition, arm) => make("tr", "", make("td", "", condition.name), make("td", "", path(item, arm)),
    ...data.concepts.map((concept, index) => make("td", "", ...trace(concept, item.scores[arm][index] ?? [], spans(data)[index])))));
  const note = "Concept scores over the rounds, in within-class s.d.; the dashed line is 0.";
  return make("div", "tracks", make("table", "", make("thead", "", head), make("tbody", "", ...rows)), make("p", "note", note));
};

/* Chooses by which concept words are coloured. */
const switches = (item, redraw) => {
  const told = make("span", "told");
  told.setAttribute("role", "status");
  const concepts = [...new Set(item.words.filter(Boolean).flatMap((words) => words.concepts))];
  if (concepts.length === 0) return [null, told];
  const select = make("select");
  fill(select, [["", "as they are"], ...concepts.map((concept) => [concept, "by " + concept])]);
  if (!concepts.includes(coloured)) coloured = null;
  const key = make("span");
  const set = () => {
    select.value = coloured ?? "";
    key.replaceChildren(...(coloured === null ? [] : [colourKey(reach(data, coloured))]));
  };
  select.addEventListener("change", () => {
    coloured = select.value === "" ? null : select.value;
    told.textContent = "";
    set();
    redraw();
  });
  set();
  return [make("div", "switches", make("label", "", "Colour words ", select), key, told), told];
};

/* The rounds of the shown conditions, side by side. */
const dialogue = (item, told) => {
  const shown = at("only").checked ? chosen() : data.conditions.map((_, index) => index);
  const last = Math.max(...shown.map((condition) => item.rounds[condition].length));
  return Array.from({ length: last }, (_, round) => {
    const texts = shown.map((condition) => JSON.stringify(item.rounds[condition][round]));
    const same = shown.length > 1 && new Set(texts).size === 1;
    const cells = (same ? [shown[0]] : shown).map((condition) => cell(item, condition, round, same, told));
    if (same) cells[0].classList.add("lone");
    const deep = Math.max(...cells.map((box) => box.childElementCount));
    cells.forEach((box) => { box.style.gridRow = "span " + deep; });
    const head = make("h3", "", make("b", "", "Round " + round));
    return make("div", "round", head, make("div", "cells", ...cells));
  });
};

const question = (item) => {
  const asked = make("div", "", make("p", "question", item.text));
  const options = make("ul", "options");
  item.options.forEach((option, index) => {
    const tags = [ROLES[option[1]].name];
    if (item.label === index) tags.push("\u2713 right");
    if (item.target === index) tags.push("agrees with the bias");
    const line = make("li", "", role(item, index), make("span", "said", [letter(item, index), option[0]].filter(Boolean).join(" ")));
    line.append(make("span", "tag", tags.join(", ")));
    options.append(line);
  });
  asked.append(options);
  return asked;
};

const body = (item) => {
  const said = make("div");
  const [bar, told] = switches(item, () => said.replaceChildren(...dialogue(item, told)));
  said.append(...dialogue(item, told));
  return make("div", "body", make("div", "asked", question(item), tracks(item)), bar, said);
};

const entry = (item) => {
  const about = [item.category, WORDS[item.context], WORDS[item.polarity]].filter(Boolean).join(", ");
  const left = make("span", "", make("span", "meta", make("b", "", item.id), " \u00b7 " + about), make("span", "start", item.text));
  const box = make("details", "item", make("summary", "", left, paths(item)));
  box.addEventListener("toggle", () => {
    if (box.open && box.childElementCount === 1) box.append(body(item));
  });
  return box;
};

