// What the drivers share: one JSON line in, one JSON line out.

import { createInterface } from "node:readline";

// The one schema of the cases, and the one tool.
export const SCHEMA = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
export const TOOL = { name: "get_weather", description: "The weather in a city", parameters: SCHEMA };

// What a client gave its caller, in words that all clients share.
class Answer {
  text = "";
  tool = "";
  arguments = "";
  finish = null;
  usage = null;
  model = null;
  vectors = null;
  models = null;
  counts = null;
  error = null;

  say(text) {
    this.text += text ?? "";
  }

  call(name, args) {
    this.tool += name ?? "";
    this.arguments += args ?? "";
  }

  count(tokensIn, tokensOut) {
    this.usage = [tokensIn, tokensOut];
  }

  by(model) {
    this.model = model || this.model;
  }

  tally(ends) {
    this.counts = {};
    for (const end of ends) this.counts[end] = (this.counts[end] ?? 0) + 1;
  }
}

// An error of any client. What a caller can read of it is looked for where the clients keep it.
export function failed(error) {
  const headers = error.headers ?? error.responseHeaders ?? error.rawResponse?.headers ?? {};
  const header = (name) => (typeof headers.get === "function" ? headers.get(name) : headers[name]);
  return {
    class: error.constructor?.name ?? String(error),
    status: error.status ?? error.statusCode ?? null,
    retry_after: header("retry-after") ?? null,
    code: error.code ?? null,
    body: JSON.stringify([error.error, error.responseBody, error.body]),
    message: String(error.message ?? error).slice(0, 2000),
  };
}

// Makes many calls at once, every other one streamed, and counts how each ended: `one(streams)` tells whether it ended well.
export async function storm(ask, answer, one) {
  const ends = Array.from({ length: ask.count }, async (_, number) => {
    try {
      return (await one(number % 2 === 0)) ? "ok" : "not whole";
    } catch (error) {
      return String(error.status ?? error);
    }
  });
  answer.tally(await Promise.all(ends));
}

// Answers each line by the call of its API: `calls[api](ask, answer)`.
export async function serve(calls) {
  for await (const line of createInterface({ input: process.stdin })) {
    const ask = JSON.parse(line);
    const answer = new Answer();
    try {
      if (ask.api !== "ready") await calls[ask.api](ask, answer);
    } catch (error) {
      answer.error = failed(error);
    }
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
}
