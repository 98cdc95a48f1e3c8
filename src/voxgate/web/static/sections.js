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
reveal(bar.querySelector("a[aria-current]"));

function mark(current) {
  for (const [id, link] of links) {
    if (id !== current) link.removeAttribute("aria-current");
    else if (!link.hasAttribute("aria-current")) {
      link.setAttribute("aria-current", "true");
      reveal(link);
    }
  }
}

/** The bar alone scrolls: the page stays where it is read. */
function reveal(link) {
  if (link) bar.scrollLeft = link.offsetLeft - (bar.clientWidth - link.offsetWidth) / 2;
}
