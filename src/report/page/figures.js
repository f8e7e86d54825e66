/* Drawings become part of the page when they come near, from their files where the page's own cannot be opened. */
const drawings = all("script.drawing").map((script) => {
  const figure = script.closest("figure");
  return { script, card: figure.querySelector(".card"), file: figure.querySelector(".files a"), text: null, shown: false };
});

const parsed = (text) => {
  const root = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  const plain = root.namespaceURI === SVG && root.localName === "svg" && root.querySelector("parsererror") === null;
  return plain ? document.importNode(root, true) : null;
};

const show = (drawing) => {
  if (drawing.shown) return;
  drawing.shown = true;
  let node = drawing.text === null ? null : parsed(drawing.text);
  if (node === null) {
    node = make("img");
    node.alt = drawing.card.getAttribute("aria-label");
    node.src = drawing.file.getAttribute("href");
  }
  drawing.card.replaceChildren(node);
  drawing.text = null;
};

const read = async (drawing) => {
  try {
    const text = await unpack(drawing.script);
    if (!drawing.shown) drawing.text = text;
  } catch {
    drawing.text = null;
  }
};

for (const drawing of drawings) whenNear(drawing.card, () => read(drawing).then(() => show(drawing)));

/* Printing does not wait: what is to be printed must have been opened before, and is drawn at once. */
whenIdle(async () => { for (const drawing of drawings) await read(drawing); });
addEventListener("beforeprint", () => drawings.forEach(show));
