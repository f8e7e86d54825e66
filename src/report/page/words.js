/* Words coloured by what the probe of a concept reads in them. */
const whose = { user: "u", model: "m" };

/* Where the colours of a concept end: 95 % of its words lie within. */
const reach = (data, concept) => {
  data.reaches ??= new Map();
  if (!data.reaches.has(concept)) {
    const rounds = data.items.flatMap((item) => item.words).filter(Boolean).flatMap((words) => {
      const place = words.concepts.indexOf(concept);
      return place < 0 ? [] : words.rounds.flatMap((round) => round[2][place]);
    });
    const sizes = rounds.filter((value) => value !== null).map(Math.abs).sort((a, b) => a - b);
    data.reaches.set(concept, Math.max(10, sizes[Math.floor(0.95 * (sizes.length - 1))] ?? 0));
  }
  return data.reaches.get(concept);
};

const tint = (node, value, end) => {
  if (value === null) return node;
  const share = Math.min(1, Math.abs(value) / end);
  node.style.setProperty("--share", Math.round(share * 100) + "%");
  node.classList.add(value < 0 ? "low" : "high");
  return node;
};

/* The words that somebody adds in a round, or null where they are not known. Arrow keys go from word to word. */
const worded = (words, round, speaker, concept, end, told) => {
  const place = words === null ? -1 : words.concepts.indexOf(concept);
  const own = words === null ? undefined : words.rounds[round];
  if (place < 0 || own === undefined) return null;
  const [texts, from, values] = own;
  const chosen = texts.map((_, index) => index).filter((index) => from[index] === whose[speaker]);
  if (chosen.length === 0) return null;
  const nodes = chosen.map((index) => tint(make("span", "word", texts[index]), values[place][index], end));
  const line = labelled(make("span", "words", ...nodes), "group", speaker + ", word by word");
  line.tabIndex = 0;
  let near = null;
  const point = (index) => {
    if (near !== null) nodes[near].classList.remove("near");
    near = index;
    if (index === null) { told.textContent = ""; return; }
    nodes[index].classList.add("near");
    told.textContent = "\u201c" + texts[chosen[index]].trim() + "\u201d " + decimal(values[place][chosen[index]]) + " s.d.";
  };
  line.addEventListener("pointerover", (event) => {
    const index = nodes.indexOf(event.target);
    if (index >= 0) point(index);
  });
  for (const leave of ["pointerleave", "blur"]) line.addEventListener(leave, () => point(null));
  line.addEventListener("focus", () => { if (near === null) point(0); });
  line.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    point(Math.max(0, Math.min(nodes.length - 1, (near ?? 0) + step)));
  });
  return line;
};

/* What the colours mean. */
const colourKey = (end) => {
  const steps = [-1, -0.5, 0, 0.5, 1].map((share) => tint(make("span", "word"), share * end, end));
  return make("span", "colours", decimal(-end), make("span", "scale", ...steps), "+" + decimal(end), " within-class s.d.");
};
