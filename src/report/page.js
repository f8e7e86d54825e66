"use strict";
/* The reader of dialogues. All data goes through textContent or attributes set one by one. */
(() => {
  const PER_PAGE = 20;
  const ROLES = {
    stereotyped: { mark: "S", tone: "s", name: "stereotyped" },
    other: { mark: "O", tone: "o", name: "other" },
    unknown: { mark: "U", tone: "u", name: "unknown" },
  };
  const WORDS = { ambig: "ambiguous context", disambig: "disambiguated context", neg: "negative question", nonneg: "non-negative question" };
  const KINDS = [
    ["all", "all items"],
    ["changed", "changed its answer"],
    ["up", "wrong to right"],
    ["down", "right to wrong"],
    ["unparsed", "unparsed in a round"],
    ["differs", "ends differently between conditions"],
  ];

  const at = (id) => document.getElementById(id);
  const make = (tag, style, ...inside) => {
    const node = document.createElement(tag);
    if (style) node.className = style;
    node.append(...inside.filter((part) => part !== null));
    return node;
  };
  const hint = (node, text) => { node.title = text; return node; };

  const reader = at("reader");
  if (!reader) return;
  const loaded = new Map();
  const sources = [...document.querySelectorAll("script.dialogues")];
  const load = (index) => {
    if (!loaded.has(index)) loaded.set(index, JSON.parse(sources[index].textContent));
    return loaded.get(index);
  };
  let data = null;
  let found = [];
  let first = 0;

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
    node.setAttribute("role", "img");
    node.setAttribute("aria-label", words);
    return hint(node, words);
  };

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

  const cell = (item, condition, round, all) => {
    const raw = item.rounds[condition][round];
    const box = make("div", "cell");
    const head = all ? "every condition" : data.conditions[condition].name;
    box.append(hint(make("h4", "", head), all ? "" : data.conditions[condition].about));
    if (!raw) {
      box.append(make("p", "note", "not run"));
      return box;
    }
    const said = turn(raw);
    for (const part of [...said.before, said]) {
      const user = make("p", "user", make("span", "who", "user"));
      if (Array.isArray(part.user)) user.append(part.user[0], make("span", "above", "[the question above]"), part.user[1]);
      else user.append(part.user);
      const model = make("p", "model", make("span", "who", "model"), part.answer || "\u2003");
      if (!part.ended) model.append(make("span", "cut", " [cut at the length limit]"));
      box.append(user, model);
    }
    if (item.options.length === 0) return box;
    box.append(bars(item, said));
    const facts = make("ul", "facts");
    const choice = make("li", "", "chosen: ", make("b", "", said.choice === null ? "none" : named(item, said.choice)));
    if (item.label !== null) choice.append(said.choice === item.label ? " \u2713 right" : " \u2717 wrong");
    const before = round > 0 ? item.rounds[condition][round - 1][3] : said.choice;
    if (before !== said.choice) choice.append(", ", make("span", "flag", "was " + (before === null ? "none" : named(item, before))));
    facts.append(choice);
    const parsed = said.parsed === null
      ? make("li", "", "its text: ", make("b", "warn", "unparsed"))
      : make("li", "", "its text says: ", make("b", said.parsed === said.choice ? "" : "warn", named(item, said.parsed)));
    facts.append(parsed);
    if (said.orders > 1) facts.append(make("li", "", said.agree + " of " + said.orders + " option orders agree"));
    box.append(facts);
    return box;
  };

  const body = (item) => {
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
    const box = make("div", "body", make("div", "asked", asked, paths(item)));
    const shown = at("only").checked ? chosen() : data.conditions.map((_, index) => index);
    const last = Math.max(...shown.map((condition) => item.rounds[condition].length));
    for (let round = 0; round < last; round += 1) {
      const texts = shown.map((condition) => JSON.stringify(item.rounds[condition][round]));
      const same = shown.length > 1 && new Set(texts).size === 1;
      const cells = make("div", "cells");
      (same ? [shown[0]] : shown).forEach((condition) => cells.append(cell(item, condition, round, same)));
      if (same) cells.firstChild.classList.add("lone");
      const head = make("h3", "", make("b", "", "Round " + round), round === 0 ? ", before any correction" : "");
      box.append(make("div", "round", head, cells));
    }
    return box;
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

  const fill = (select, rows) => {
    select.replaceChildren(...rows.map(([value, label]) => {
      const option = make("option", "", label);
      option.value = value;
      return option;
    }));
  };
  const open = () => {
    data = load(Number(at("source").value));
    fill(at("condition"), [["any", "any condition"], ...data.conditions.map((condition, index) => [index, condition.name])]);
    fill(at("category"), [["all", "all categories"], ...data.categories.map((name, index) => [index, name])]);
    at("kept").textContent = data.note;
    const abouts = data.conditions.filter((condition) => condition.about !== "").map((condition) => condition.name + ": " + condition.about);
    at("abouts").textContent = abouts.length === 0 ? "" : abouts.join("; ") + ".";
    filter();
  };

  fill(at("kind"), KINDS);
  at("source").addEventListener("change", open);
  for (const id of ["condition", "category", "kind", "only"]) at(id).addEventListener("change", filter);
  at("find").addEventListener("input", filter);
  const move = (step) => {
    turnTo(first + step);
    at("count").scrollIntoView({ block: "nearest" });
  };
  for (const end of ["", "-below"]) {
    at("back" + end).addEventListener("click", () => move(-PER_PAGE));
    at("on" + end).addEventListener("click", () => move(PER_PAGE));
  }
  open();
  reader.hidden = false;
})();

/* A folded table is of no use on paper. */
(() => {
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll(".table details:not([open])")];
    folded.forEach((details) => { details.open = true; });
  });
  addEventListener("afterprint", () => folded.forEach((details) => { details.open = false; }));
})();
