/**
 * What the scripts of clients in JavaScript share: the arguments and the lines printed are those of
 * `openrouter_client.py`.
 */

/** Print a line for each argument: what `result` returns for it, or the error that it throws. */
export async function answer(result) {
  for (const argument of process.argv.slice(2)) {
    const began = performance.now();
    const told = await outcome(result, JSON.parse(argument));
    console.log(JSON.stringify({ ...told, seconds: (performance.now() - began) / 1000 }));
  }
}

async function outcome(result, asked) {
  try {
    return { value: await result(asked) };
  } catch (error) {
    return {
      raised: error.constructor.name,
      status: error.statusCode ?? error.status ?? null,
      message: error.message,
      body: error.body ?? error.responseBody ?? null,
    };
  }
}

/** Call a method by its name with dots. */
export function call(client, name, ...given) {
  const names = name.split(".");
  const method = names.pop();
  const owner = names.reduce((value, each) => value[each], client);
  return owner[method](...given);
}

/** The first events of a stream, as many as `most`; where there are more, it is left early. */
export async function events(stream, most = Infinity) {
  const found = [];
  for await (const event of stream) {
    found.push(event);
    if (found.length >= most) break;
  }
  return found;
}
