/**
 * Buttons that copy: `<button class="copy" data-copy="text">`, or `data-copy-of="id"`, the text of
 * another element. A style sheet hides them where there are no scripts.
 */

const said = document.createElement("p");
said.className = "visually-hidden";
said.setAttribute("role", "status");
document.body.append(said);

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("button.copy");
  if (!button) return;
  const { copy, copyOf } = button.dataset;
  const text = copy ?? document.getElementById(copyOf).textContent;
  const label = (button.dataset.label ??= button.textContent);
  const copied = await put(text);
  button.textContent = copied ? "Copied" : "Not copied";
  said.textContent = copied ? `Copied: ${text.slice(0, 80)}` : "The browser does not allow it.";
  setTimeout(() => {
    button.textContent = label;
    said.textContent = "";
  }, 2000);
});

/** Put a text on the clipboard. Over plain HTTP browsers have the old way alone. */
async function put(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "visually-hidden";
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    return copied;
  }
}
