/* A concept's score over the rounds of an item, as a small line. */
const WIDE = 72;
const HIGH = 22;
const PAD = 3;
const decimal = (hundredths) => hundredths === null || hundredths === undefined
  ? "\u2013"
  : (hundredths < 0 ? "\u2212" : "") + (Math.abs(hundredths) / 100).toFixed(2);

/* The least and greatest score of each concept over all items: small lines side by side share a scale. */
const spans = (data) => {
  data.spans ??= data.concepts.map((_, concept) => {
    const values = data.items.flatMap((item) => item.scores.flatMap((own) => own[concept] ?? [])).filter((value) => value !== null);
    return values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [0, 0]);
  });
  return data.spans;
};

const trace = (concept, values, [low, high]) => {
  const x = (round) => PAD + (WIDE - 2 * PAD) * (values.length < 2 ? 0.5 : round / (values.length - 1));
  const y = (value) => PAD + (HIGH - 2 * PAD) * (high === low ? 0.5 : (high - value) / (high - low));
  const points = values.map((value, round) => [round, value]).filter(([, value]) => value !== null);
  const line = shape("polyline", { points: points.map(([round, value]) => x(round).toFixed(1) + "," + y(value).toFixed(1)).join(" ") });
  const dots = points.map(([round, value]) => shape("circle", { cx: x(round), cy: y(value), r: 1.8 }));
  const zero = shape("path", { class: "zero", d: "M0 " + y(0).toFixed(1) + "H" + WIDE });
  const drawing = shape("svg", { class: "trace", viewBox: "0 0 " + WIDE + " " + HIGH, width: WIDE, height: HIGH, tabindex: 0 }, zero, line, ...dots);
  labelled(drawing, "img", concept.name + ": " + values.map((value, round) => "round " + round + " " + decimal(value)).join(", "));

  const ends = points.length === 0 ? "\u2013" : decimal(points[0][1]) + (points.length > 1 ? " \u2192 " + decimal(points[points.length - 1][1]) : "");
  const told = make("span", "told", ends);
  let near = null;
  const point = (round) => {
    near = round;
    const place = points.findIndex(([own]) => own === round);
    dots.forEach((dot, index) => dot.setAttribute("r", index === place ? 3 : 1.8));
    told.textContent = round === null ? ends : "round " + round + ": " + decimal(values[round]);
  };
  drawing.addEventListener("pointermove", (event) => {
    const box = drawing.getBoundingClientRect();
    const share = ((event.clientX - box.left) / box.width * WIDE - PAD) / (WIDE - 2 * PAD);
    point(Math.max(0, Math.min(values.length - 1, Math.round(share * (values.length - 1)))));
  });
  for (const end of ["pointerleave", "blur"]) drawing.addEventListener(end, () => point(null));
  drawing.addEventListener("focus", () => point(0));
  drawing.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    point(Math.max(0, Math.min(values.length - 1, (near ?? 0) + step)));
  });
  return [drawing, told];
};
