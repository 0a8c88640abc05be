// Vercel's AI SDK, with its providers for OpenAI, for servers like OpenAI's, and for Anthropic.

import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { Output, embedMany, generateText, jsonSchema, streamText, tool } from "ai";
import { SCHEMA, TOOL, failed, serve } from "./driver.mjs";

const compatible = (ask) =>
  createOpenAICompatible({
    name: "mounted",
    baseURL: ask.base + "/v1",
    apiKey: ask.key ?? undefined,
    includeUsage: true,
    supportsStructuredOutputs: true,
  });

const chat = (ask, answer) => run(compatible(ask).chatModel(ask.model), ask, answer);
const responses = (ask, answer) =>
  run(createOpenAI({ baseURL: ask.base + "/v1", apiKey: ask.key ?? undefined }).responses(ask.model), ask, answer);
const messages = (ask, answer) =>
  run(createAnthropic({ baseURL: ask.base + "/v1", apiKey: ask.key ?? undefined })(ask.model), ask, answer);

async function run(model, ask, answer) {
  const options = { model, prompt: ask.prompt, maxRetries: 0 };
  if (ask.ask === "tools") {
    options.tools = { [TOOL.name]: tool({ description: TOOL.description, inputSchema: jsonSchema(SCHEMA) }) };
  }
  if (ask.ask === "schema") options.output = Output.object({ schema: jsonSchema(SCHEMA) });
  if (!ask.stream) {
    await whole(await generateText(options), ask, answer);
    return;
  }
  let wrong = null;
  const result = streamText({ ...options, onError: ({ error }) => (wrong = error) });
  for await (const text of result.textStream) answer.say(text);
  if (wrong) {
    answer.error = failed(wrong);
    return;
  }
  answer.text = "";
  await whole(result, ask, answer);
}

// The parts of a stream's result are promises.
async function whole(result, ask, answer) {
  answer.say(ask.ask === "schema" ? JSON.stringify(await result.output) : await result.text);
  for (const call of await result.toolCalls) answer.call(call.toolName, JSON.stringify(call.input));
  answer.finish = await result.finishReason;
  answer.by((await result.response).modelId);
  const usage = await result.usage;
  answer.count(usage.inputTokens, usage.outputTokens);
}

async function embeddings(ask, answer) {
  const model = compatible(ask).embeddingModel(ask.model);
  const providerOptions = { mounted: { dimensions: 8 } };
  const got = await embedMany({ model, values: [ask.prompt, "more"], maxRetries: 0, providerOptions });
  answer.vectors = got.embeddings.map((vector) => vector.length);
  answer.count(got.usage.tokens, 0);
}

await serve({ chat, responses, messages, embeddings });
