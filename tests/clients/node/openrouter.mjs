// OpenRouter's own client.

import { OpenRouter } from "@openrouter/sdk";
import { SCHEMA, TOOL, serve } from "./driver.mjs";

const client = (ask) =>
  new OpenRouter({
    apiKey: ask.key ?? "",
    serverURL: ask.base + "/api/v1",
    retryConfig: { strategy: "none" },
    timeoutMs: 30_000,
  });

async function chat(ask, answer) {
  const chatRequest = { model: ask.model, stream: ask.stream, messages: [] };
  if (ask.prompt) chatRequest.messages = [{ role: "user", content: ask.prompt }];
  if (ask.ask === "tools") chatRequest.tools = [{ type: "function", function: TOOL }];
  if (ask.ask === "schema") {
    chatRequest.responseFormat = { type: "json_schema", jsonSchema: { name: "place", strict: true, schema: SCHEMA } };
  }
  const got = await client(ask).chat.send({ chatRequest });
  if (!ask.stream) {
    const [choice] = got.choices;
    answer.say(choice.message.content);
    for (const call of choice.message.toolCalls ?? []) answer.call(call.function.name, call.function.arguments);
    answer.finish = choice.finishReason;
    answer.by(got.model);
    answer.count(got.usage.promptTokens, got.usage.completionTokens);
    return;
  }
  for await (const chunk of got) {
    answer.by(chunk.model);
    for (const choice of chunk.choices) {
      answer.say(choice.delta.content);
      for (const call of choice.delta.toolCalls ?? []) answer.call(call.function?.name, call.function?.arguments);
      answer.finish = choice.finishReason ?? answer.finish;
    }
    if (chunk.usage) answer.count(chunk.usage.promptTokens, chunk.usage.completionTokens);
    if (chunk.error) {
      // This client gives the error of a stream to its caller as a part of the chunk.
      answer.error = { class: "chunk.error", status: chunk.error.code, message: chunk.error.message };
    }
  }
}

async function responses(ask, answer) {
  const responsesRequest = { model: ask.model, stream: ask.stream, input: ask.prompt };
  if (ask.ask === "tools") responsesRequest.tools = [{ type: "function", strict: true, ...TOOL }];
  if (ask.ask === "schema") {
    responsesRequest.text = { format: { type: "json_schema", name: "place", strict: true, schema: SCHEMA } };
  }
  const got = await client(ask).responses.send({ responsesRequest });
  if (!ask.stream) {
    whole(got, answer);
    return;
  }
  for await (const event of got) {
    if (event.type === "response.output_text.delta") answer.say(event.delta);
    if (event.type === "response.completed") {
      answer.text = "";
      whole(event.response, answer);
    }
    if (["error", "response.error", "response.failed"].includes(event.type)) {
      answer.error = { class: event.type, message: JSON.stringify(event) };
    }
  }
}

function whole(response, answer) {
  for (const item of response.output) {
    if (item.type === "message") for (const part of item.content) answer.say(part.text);
    if (item.type === "function_call") answer.call(item.name, item.arguments);
  }
  answer.finish = response.status;
  answer.by(response.model);
  // A stream whose last event the upstream left out has no usage.
  if (response.usage) answer.count(response.usage.inputTokens, response.usage.outputTokens);
}

async function embeddings(ask, answer) {
  const requestBody = { model: ask.model, input: [ask.prompt, "more"], dimensions: 8 };
  const got = await client(ask).embeddings.generate({ requestBody });
  answer.vectors = got.data.map((row) => row.embedding.length);
  answer.count(got.usage.promptTokens, 0);
}

async function models(ask, answer) {
  answer.models = [];
  // Two a page: the client reads on until a page is not full.
  for await (const page of await client(ask).models.list({ limit: 2 })) {
    answer.models.push(...page.result.data.map((model) => model.id));
  }
}

await serve({ chat, responses, embeddings, models });
