/* What the parts share. All that a study holds goes through textContent or attributes set one by one. */
const SVG = "http://www.w3.org/2000/svg";
const at = (id) => document.getElementById(id);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const make = (tag, style, ...inside) => {
  const node = document.createElement(tag);
  if (style) node.className = style;
  node.append(...inside.filter((part) => part !== null));
  return node;
};
const shape = (tag, attributes, ...inside) => {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...inside);
  return node;
};
const labelled = (node, role, words) => {
  node.setAttribute("role", role);
  node.setAttribute("aria-label", words);
  return node;
};
const hint = (node, text) => { node.title = text; return node; };
const button = (style, text, act) => {
  const node = make("button", style, text);
  node.type = "button";
  node.addEventListener("click", act);
  return node;
};
const counted = (n, noun) => n.toLocaleString("en") + " " + noun + (n === 1 ? "" : "s");
const fill = (select, rows) => {
  select.replaceChildren(...rows.map(([value, label]) => {
    const option = make("option", "", label);
    option.value = value;
    return option;
  }));
};
const whenIdle = (act) => ("requestIdleCallback" in window ? requestIdleCallback(act, { timeout: 2000 }) : setTimeout(act, 200));

/* Calls `act` once, when the node comes within a screen or two of what is seen. */
const whenNear = (node, act) => {
  if (!("IntersectionObserver" in window)) { whenIdle(act); return; }
  const observer = new IntersectionObserver((seen) => {
    if (!seen.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    act();
  }, { rootMargin: "1500px 0px" });
  observer.observe(node);
};
