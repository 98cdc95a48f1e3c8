/** Marks the section that is read in the bar of a page with sections, and brings its link into view. */

const bar = document.querySelector(".sections");
const links = new Map(
  [...bar.querySelectorAll('a[href^="#"]')].map((link) => [link.hash.slice(1), link]),
);
const seen = new Set();

const observer = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) seen.add(target.id);
      else seen.delete(target.id);
    }
    mark([...links.keys()].find((id) => seen.has(id)));
  },
  { rootMargin: "-80px 0px -60% 0px" }, // from below the bar, to where a reader looks
);
for (const id of links.keys()) {
  const section = document.getElementById(id);
  if (section) observer.observe(section);
}
reveal();
document.addEventListener("scrollend", reveal);

function mark(current) {
  for (const [id, link] of links) {
    if (id === current) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

/**
 * Scroll the bar alone, where its link is out of view, when the page has come to rest: a browser
 * ends the page's own smooth way for it.
 */
function reveal() {
  const link = bar.querySelector("a[aria-current]");
  if (!link) return;
  const [left, right] = [link.offsetLeft - bar.scrollLeft, link.offsetLeft + link.offsetWidth - bar.scrollLeft];
  if (left < 0 || right > bar.clientWidth) {
    bar.scrollLeft = link.offsetLeft - (bar.clientWidth - link.offsetWidth) / 2;
  }
}
