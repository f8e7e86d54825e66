/* The contents show where the reader is, and unfold that part. */
(() => {
  const nav = at("contents");
  if (nav === null) return;
  const places = all("a", nav).map((link) => [link, at(link.getAttribute("href").slice(1))]);
  let current = null;
  let unfolded = null;
  const mark = (link) => {
    if (current !== null) current.removeAttribute("aria-current");
    current = link;
    if (unfolded !== null) unfolded.open = false;
    unfolded = null;
    if (link === null) return;
    link.setAttribute("aria-current", "true");
    const fold = link.closest("details");
    if (fold !== null && !fold.open) {
      fold.open = true;
      unfolded = fold;
    }
    const [box, own] = [nav.getBoundingClientRect(), link.getBoundingClientRect()];
    if (own.top < box.top || own.bottom > box.bottom) nav.scrollTop += own.top - box.top - box.height / 3;
  };
  const look = () => {
    const line = innerHeight / 4;
    const above = places.filter(([, place]) => place.getBoundingClientRect().top <= line);
    const link = above.length === 0 ? null : above[above.length - 1][0];
    if (link !== current) mark(link);
  };
  let waiting = false;
  addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; look(); });
  }, { passive: true });
  look();
})();
