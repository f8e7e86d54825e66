/* The theme, the keys, what is copied and what is printed. */
const KEYS = [
  ["/", "search the dialogues"],
  ["t", "change between the light and the dark theme"],
  ["?", "show these keys"],
  ["\u2190 \u2192", "go from round to round in a small line, from word to word in coloured words"],
  ["Tab, Enter", "go from one thing to the next; sort a table, open a fold"],
];

const theme = (() => {
  const root = document.documentElement;
  const dark = () => root.dataset.theme === "dark"
    || (root.dataset.theme === undefined && matchMedia("(prefers-color-scheme: dark)").matches);
  const tell = () => { at("theme").textContent = dark() ? "Light theme" : "Dark theme"; };
  const set = (name) => {
    root.dataset.theme = name;
    tell();
  };
  try {
    const kept = localStorage.getItem("recant-theme");
    if (kept === "dark" || kept === "light") root.dataset.theme = kept;
  } catch { /* a browser may keep nothing for pages from files */ }
  tell();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tell);
  return () => {
    set(dark() ? "light" : "dark");
    try { localStorage.setItem("recant-theme", root.dataset.theme); } catch { /* the theme lasts as long as the page */ }
  };
})();
at("theme").addEventListener("click", theme);

const keys = (() => {
  const list = make("dl", "", ...KEYS.flatMap(([key, does]) => [make("dt", "", make("kbd", "", key)), make("dd", "", does)]));
  const dialog = make("dialog", "keys", make("h2", "", "Keys"), list);
  dialog.append(button("", "Close", () => dialog.close()));
  document.body.append(dialog);
  return () => { if (!dialog.open) dialog.showModal(); };
})();
at("help").addEventListener("click", keys);

addEventListener("keydown", (event) => {
  const typing = event.target instanceof Element && event.target.closest("input, select, textarea, dialog");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "?") keys();
  else if (event.key === "t") theme();
  else if (event.key === "/" && reader !== null) {
    event.preventDefault();
    begin();
    at("find").focus();
    at("find").scrollIntoView({ block: "center" });
  }
});

/* Pages from files may be refused the clipboard: the text is selected then, and copied the old way or by hand. */
for (const copy of all("button.copy")) {
  copy.addEventListener("click", async () => {
    const source = at(copy.dataset.of);
    getSelection().selectAllChildren(source);
    let done = false;
    try {
      await navigator.clipboard.writeText(source.textContent);
      done = true;
    } catch {
      done = document.execCommand("copy");
    }
    copy.nextElementSibling.textContent = done ? "Copied." : "The text is selected: press Ctrl+C.";
  });
}

/* What is folded is of no use on paper. */
let folded = [];
addEventListener("beforeprint", () => {
  folded = all("main .table details:not([open]), main details.fold:not([open])");
  folded.forEach((details) => { details.open = true; });
});
addEventListener("afterprint", () => folded.forEach((details) => { details.open = false; }));
