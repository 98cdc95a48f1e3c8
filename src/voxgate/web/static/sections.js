/** Marks the section that is read in the bar of a page with sections. */

const links = new Map(
  [...document.querySelectorAll('.sections a[href^="#"]')].map((link) => [link.hash.slice(1), link]),
);
const seen = new Set();

const observer = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) seen.add(target.id);
      else seen.delete(target.id);
    }
    const first = [...links.keys()].find((id) => seen.has(id));
    for (const [id, link] of links) {
      if (id === first) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  },
  { rootMargin: "-80px 0px -60% 0px" }, // from below the bar, to where a reader looks
);
for (const id of links.keys()) {
  const section = document.getElementById(id);
  if (section) observer.observe(section);
}
