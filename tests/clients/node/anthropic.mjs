// Anthropic's client.

import Anthropic from "@anthropic-ai/sdk";
import { SCHEMA, TOOL, serve, storm } from "./driver.mjs";

const anthropic = (ask) =>
  new Anthropic({
    baseURL: ask.base,
    apiKey: ask.key ?? "left out",
    defaultHeaders: ask.key ? {} : { "x-api-key": null, authorization: null },
    maxRetries: 0,
    timeout: 30_000,
  });

async function messages(ask, answer) {
  const client = anthropic(ask);
  const body = { model: ask.model, max_tokens: 4096, messages: [] };
  if (ask.prompt) body.messages = [{ role: "user", content: ask.prompt }];
  if (ask.ask === "tools") {
    body.tools = [{ name: TOOL.name, description: TOOL.description, input_schema: TOOL.parameters }];
  }
  if (ask.ask === "schema") body.output_config = { format: { type: "json_schema", schema: SCHEMA } };
  if (!ask.stream) {
    whole(await client.messages.create(body), answer);
    return;
  }
  // Event by event; the driver in Python uses the helper that puts them together.
  let tokensIn = 0;
  for await (const event of await client.messages.create({ ...body, stream: true })) {
    if (event.type === "message_start") {
      tokensIn = event.message.usage.input_tokens;
      answer.by(event.message.model);
    }
    if (event.type === "content_block_start") answer.call(event.content_block.name, "");
    if (event.type === "content_block_delta") {
      answer.say(event.delta.text);
      answer.call("", event.delta.partial_json);
    }
    if (event.type === "message_delta") {
      answer.finish = event.delta.stop_reason;
      answer.count(tokensIn, event.usage.output_tokens);
    }
  }
}

function whole(message, answer) {
  for (const block of message.content) {
    if (block.type === "text") answer.say(block.text);
    if (block.type === "tool_use") answer.call(block.name, JSON.stringify(block.input));
  }
  answer.finish = message.stop_reason;
  answer.by(message.model);
  answer.count(message.usage.input_tokens, message.usage.output_tokens);
}

async function models(ask, answer) {
  answer.models = [];
  for await (const model of anthropic(ask).models.list()) answer.models.push(model.id);
}

async function calls(ask, answer) {
  const { messages } = anthropic(ask);
  const body = { model: ask.model, max_tokens: ask.most, messages: [{ role: "user", content: ask.prompt }] };
  await storm(ask, answer, async (streams) => {
    if (!streams) return (await messages.create(body)).stop_reason !== null;
    let last;
    for await (const event of await messages.create({ ...body, stream: true })) last = event.type;
    return last === "message_stop";
  });
}

await serve({ messages, models, storm: calls });
