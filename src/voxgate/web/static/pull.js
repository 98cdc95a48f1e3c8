// Shows how far a pull is, and loads the page again when it has ended.

const EVERY_MS = 1000;
const UNITS = ["B", "kB", "MB", "GB", "TB"];

function size(bytes) {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${Number(value.toPrecision(3))} ${UNITS[unit]}`;
}

async function show() {
  const answer = await fetch("/owner/pull", { headers: { Accept: "application/json" } });
  const pull = answer.ok ? await answer.json() : { ended: true };
  if (pull.ended) {
    location.replace(location.pathname);
    return;
  }
  document.getElementById("pull-message").textContent = pull.message;
  document.getElementById("pull-file").textContent = pull.file;
  if (pull.total !== null) {
    const bar = document.getElementById("pull-bar");
    bar.max = pull.total;
    bar.value = pull.done;
    document.getElementById("pull-done").textContent = size(pull.done);
    document.getElementById("pull-total").textContent = size(pull.total);
  }
  setTimeout(show, EVERY_MS);
}

setTimeout(show, EVERY_MS);
