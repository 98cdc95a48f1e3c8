// What a recording may cost, before it is sent: the price of whoever may serve it, by its length.

import { dollars, seconds } from "../units.js";

const UNIT_S = { second: 1, minute: 60, hour: 3600 };
const UNIT_TOKENS = { token: 1, "million tokens": 1_000_000 };

/** Dollars for so many seconds at a price, as `Price.most_nanodollars` says; 0 where it is free. */
export function estimate(price, duration, tokensPerS) {
  if (!price) return 0;
  if (price.unit === "request") return price.amount;
  if (price.unit in UNIT_TOKENS) return (price.amount * duration * tokensPerS) / UNIT_TOKENS[price.unit];
  let charged = Math.max(duration, price.minimum_s);
  if (price.increment_s) charged = Math.ceil(charged / price.increment_s) * price.increment_s;
  return (price.amount * charged) / UNIT_S[price.unit];
}

/** A sentence on the price of a recording at these endpoints; `duration` is null where unknown. */
export function estimateSentence(endpoints, duration, tokensPerS) {
  const prices = endpoints.map(({ price }) => price);
  if (prices.every((price) => !price)) return "Free: no price is set for this model.";
  const units = [...new Set(prices.map((price) => (price ? `${dollars(price.amount)} per ${price.unit}` : "free")))];
  const terms = units.join(" or ");
  if (duration === null) return `Price: ${terms}${units.length > 1 ? ", by who serves it" : ""}.`;
  const costs = prices.map((price) => estimate(price, duration, tokensPerS));
  const [least, most] = [Math.min(...costs), Math.max(...costs)];
  const upTo = prices.some((price) => price && price.unit in UNIT_TOKENS) ? "At most" : "About";
  const range = least === most ? dollars(most) : `${dollars(least)} to ${dollars(most)}, by who serves it`;
  return `${upTo} ${range} for ${seconds(duration)} (${terms}).`;
}
