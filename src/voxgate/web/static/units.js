// Figures as people read them, as figures.py writes them on the server.

/** A duration: 0.41 s, 12.3 s, 4:05 min, 1:30 h. */
export function seconds(value) {
  if (value < 60) return `${Number(value.toPrecision(3))} s`;
  const whole = Math.round(value);
  const two = (number) => String(number).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)}:${two(whole % 60)} min`;
  return `${Math.floor(whole / 3600)}:${two(Math.floor((whole % 3600) / 60))} h`;
}

/** A place in a recording: 4:05, 1:04:05. */
export function clock(value) {
  const whole = Math.floor(value);
  const two = (number) => String(number).padStart(2, "0");
  const minutes = Math.floor(whole / 60) % 60;
  const hours = Math.floor(whole / 3600);
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** Bytes in the largest unit of 1000 that leaves a whole part. */
export function size(bytes) {
  let value = bytes;
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (value < 1000) return `${Number(value.toPrecision(3))} ${unit}`;
    value /= 1000;
  }
  return `${Number(value.toPrecision(3))} TB`;
}

/** US dollars, with as many digits as small amounts need. */
export function dollars(value) {
  if (value === 0 || value >= 1) return `$${value.toFixed(2)}`;
  return `$${Number(value.toPrecision(value < 0.0001 ? 2 : 4)).toFixed(9).replace(/0+$/, "")}`;
}
