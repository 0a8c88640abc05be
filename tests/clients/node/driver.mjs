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
  vectors = null;
  models = null;
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

// Answers each line by the call of its API: `calls[api](ask, answer)`.
export async function serve(calls) {
  for await (const line of createInterface({ input: process.stdin })) {
    const ask = JSON.parse(line);
    const answer = new Answer();
    try {
      await calls[ask.api](ask, answer);
    } catch (error) {
      answer.error = failed(error);
    }
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
}
