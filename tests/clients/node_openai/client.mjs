/** OpenAI's client for JavaScript at work, as its documentation uses it. */

import { createReadStream } from "node:fs";

import OpenAI from "openai";

import { answer, call, events } from "../asked.mjs";

await answer(async (asked) => {
  const client = new OpenAI({ apiKey: asked.key, baseURL: asked.url, ...asked.client });
  const options = { ...asked.options };
  if (asked.file) options.file = createReadStream(asked.file);
  const value = await call(client, asked.call, options);
  return options.stream ? events(value, asked.most) : value;
});
