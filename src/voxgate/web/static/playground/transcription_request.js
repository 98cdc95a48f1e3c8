// What a transcription is asked with: fields of a form, and the same request as curl and as code.

/** The path and the fields of a request with the page's options, without the recording. */
export function requestOf(options) {
  const fields = [["model", options.model]];
  if (options.endpoint) fields.push(["provider[only][]", options.endpoint]);
  if (options.language) fields.push(["language", options.language]);
  if (options.channels === "split") fields.push(["channels", "split"]);
  if (options.prompt) fields.push(["prompt", options.prompt]);
  for (const term of terms(options)) fields.push(["keyterms[]", term]);
  fields.push(["timestamp_granularities[]", options.times === "segment" ? "segment" : "word"]);
  fields.push(["stream", "true"]);
  const path = `/api/v1/audio/${options.translate ? "translations" : "transcriptions"}`;
  return { path, fields };
}

/** The request as a command of a shell. `source` has a `name`, or an `address`. */
export function asCurl(options, source, origin) {
  const { path, fields } = requestOf(options);
  const lines = [
    `curl -N ${origin}${path}`,
    '-H "Authorization: Bearer $VOXGATE_KEY"',
    "-H 'Accept: text/event-stream'",
    ...fields.map(([name, value]) => `--form-string ${shell(`${name}=${value}`)}`),
    source.address ? `--form-string ${shell(`file_url=${source.address}`)}`
      : `-F ${shell(`file=@"${source.name.replace(/[\\"]/g, "\\$&")}"`)}`,
  ];
  return lines.join(" \\\n  ");
}

/** The same with OpenAI's client in Python, which sends files alone: "" for an address. */
export function asPython(options, source, origin) {
  if (source.address) return "";
  const more = {};
  if (options.endpoint) more.provider = { only: [options.endpoint] };
  if (options.channels === "split") more.channels = "split";
  if (terms(options).length) more.keyterms = terms(options);
  const language = options.language;
  if (options.translate && language) more.language = language;
  const granularities = options.times === "segment" ? '["segment"]' : '["word", "segment"]';
  if (options.translate) more.timestamp_granularities = JSON.parse(granularities);
  const named = [
    `model=${JSON.stringify(options.model)}`,
    `file=open(${JSON.stringify(source.name)}, "rb")`,
    'response_format="verbose_json"',
    ...(options.translate ? [] : [`timestamp_granularities=${granularities}`]),
    ...(language && !options.translate ? [`language=${JSON.stringify(language)}`] : []),
    ...(options.prompt ? [`prompt=${JSON.stringify(options.prompt)}`] : []),
    ...(Object.keys(more).length ? [`extra_body=${JSON.stringify(more)}`] : []),
  ];
  return [
    "import os",
    "",
    "from openai import OpenAI",
    "",
    `client = OpenAI(api_key=os.environ["VOXGATE_KEY"], base_url=${JSON.stringify(`${origin}/api/v1`)})`,
    `answer = client.audio.${options.translate ? "translations" : "transcriptions"}.create(`,
    ...named.map((each) => `    ${each},`),
    ")",
    "print(answer.text)",
  ].join("\n");
}

function terms(options) {
  return (options.keyterms ?? "").split(",").map((term) => term.trim()).filter(Boolean);
}

/** A text as one word of a shell. */
function shell(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
