// A field in the place of a text, until it is left.

/**
 * Let the text of an element be changed in its place. `done` is called once with the new text, or
 * null for Escape, and with whether a key ended it; the element is in its place again by then.
 */
export function correct(element, label, longest, done) {
  const field = document.createElement("input");
  field.value = element.textContent;
  field.className = "correct";
  field.maxLength = longest;
  field.size = Math.max(4, field.value.length + 1);
  field.setAttribute("aria-label", label);
  element.replaceWith(field);
  field.focus();
  field.select();
  let open = true;
  const leave = (value, byKey) => {
    if (!open) return;
    open = false; // the field's own removal takes its focus, too
    field.replaceWith(element);
    done(value, byKey);
  };
  field.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.preventDefault();
    leave(event.key === "Enter" ? field.value : null, true);
  });
  field.addEventListener("dblclick", (event) => event.stopPropagation());
  field.addEventListener("blur", () => leave(field.value, false));
}
