/** Mistral's client for JavaScript at work, as its documentation uses it. */

import { openAsBlob } from "node:fs";

import { Mistral } from "@mistralai/mistralai";
import { z } from "zod";

import { answer, call, events } from "../asked.mjs";

/** What a call by the name `parse` asks for. */
const Digits = z.object({ digits: z.array(z.number().int()) });

await answer(async (asked) => {
  const client = new Mistral({ apiKey: asked.key, serverURL: asked.url, ...asked.client });
  const options = { ...asked.options };
  if (asked.file) options.file = await openAsBlob(asked.file);
  if (asked.call.endsWith(".parse")) options.responseFormat = Digits;
  const value = await call(client, asked.call, options);
  return asked.call.endsWith(".stream") ? events(value, asked.most) : value;
});
