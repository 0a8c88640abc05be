// OpenAI's client.

import OpenAI from "openai";
import { SCHEMA, TOOL, serve, storm } from "./driver.mjs";

const client = (ask) =>
  new OpenAI({
    baseURL: ask.base + "/v1",
    apiKey: ask.key ?? "left out",
    defaultHeaders: ask.key ? {} : { authorization: null },
    maxRetries: 0,
    timeout: 30_000,
  });

async function chat(ask, answer) {
  const body = { model: ask.model, messages: ask.prompt ? [{ role: "user", content: ask.prompt }] : [] };
  if (ask.ask === "tools") body.tools = [{ type: "function", function: TOOL }];
  if (ask.ask === "schema") {
    body.response_format = { type: "json_schema", json_schema: { name: "place", strict: true, schema: SCHEMA } };
  }
  const completions = client(ask).chat.completions;
  if (!ask.stream) {
    const whole = await completions.create(body);
    const [choice] = whole.choices;
    answer.say(choice.message.content);
    for (const call of choice.message.tool_calls ?? []) answer.call(call.function.name, call.function.arguments);
    answer.finish = choice.finish_reason;
    answer.by(whole.model);
    answer.count(whole.usage.prompt_tokens, whole.usage.completion_tokens);
    return;
  }
  const stream = await completions.create({ ...body, stream: true, stream_options: { include_usage: true } });
  for await (const chunk of stream) {
    answer.by(chunk.model);
    for (const choice of chunk.choices) {
      answer.say(choice.delta.content);
      for (const call of choice.delta.tool_calls ?? []) answer.call(call.function?.name, call.function?.arguments);
      answer.finish = choice.finish_reason ?? answer.finish;
    }
    if (chunk.usage) answer.count(chunk.usage.prompt_tokens, chunk.usage.completion_tokens);
  }
}

async function responses(ask, answer) {
  const body = { model: ask.model, input: ask.prompt };
  if (ask.ask === "tools") body.tools = [{ type: "function", strict: true, ...TOOL }];
  if (ask.ask === "schema") {
    body.text = { format: { type: "json_schema", name: "place", strict: true, schema: SCHEMA } };
  }
  if (!ask.stream) {
    whole(await client(ask).responses.create(body), answer);
    return;
  }
  // The helper checks the order of the events, beside reading them.
  const stream = client(ask).responses.stream(body);
  for await (const event of stream) {
    if (event.type === "response.output_text.delta") answer.say(event.delta);
  }
  const final = await stream.finalResponse();
  answer.text = "";
  whole(final, answer);
}

function whole(response, answer) {
  answer.say(response.output_text);
  for (const item of response.output) {
    if (item.type === "function_call") answer.call(item.name, item.arguments);
  }
  answer.finish = response.status;
  answer.by(response.model);
  if (response.usage) answer.count(response.usage.input_tokens, response.usage.output_tokens);
}

async function embeddings(ask, answer) {
  const got = await client(ask).embeddings.create({ model: ask.model, input: [ask.prompt, "more"], dimensions: 8 });
  answer.vectors = got.data.map((row) => row.embedding.length);
  answer.count(got.usage.prompt_tokens, 0);
}

async function models(ask, answer) {
  answer.models = [];
  for await (const model of client(ask).models.list()) answer.models.push(model.id);
}

async function calls(ask, answer) {
  const { responses } = client(ask);
  const body = { model: ask.model, input: ask.prompt, max_output_tokens: ask.most };
  await storm(ask, answer, async (streams) => {
    if (!streams) return ["completed", "incomplete"].includes((await responses.create(body)).status);
    let last;
    for await (const event of await responses.create({ ...body, stream: true })) last = event.type;
    return ["response.completed", "response.incomplete"].includes(last);
  });
}

await serve({ chat, responses, embeddings, models, storm: calls });
