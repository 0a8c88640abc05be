"""LangChain, over OpenAI's chat and over Anthropic's messages."""

import json

from driver import SCHEMA, TOOL, serve
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI, OpenAIEmbeddings


def openai(ask, **options):
    options |= {"model": ask["model"], "base_url": ask["base"] + "/v1", "api_key": ask["key"]}
    return ChatOpenAI(max_retries=0, timeout=30, **options)


def chat(ask, answer):
    run(openai(ask, stream_usage=True), ask, answer)


def responses(ask, answer):
    run(openai(ask, use_responses_api=True), ask, answer)


def messages(ask, answer):
    model = ChatAnthropic(model_name=ask["model"], base_url=ask["base"], api_key=ask["key"], max_retries=0, timeout=30, max_tokens=4096)
    run(model, ask, answer)


def run(model, ask, answer):
    if ask["ask"] == "schema":
        schema = {"title": "place", "description": "A place", **SCHEMA}
        found = model.with_structured_output(schema, method="json_schema").invoke(ask["prompt"])
        answer.say(json.dumps(found))
        return
    if ask["ask"] == "tools":
        model = model.bind_tools([{"type": "function", "function": TOOL}])
    if not ask["stream"]:
        whole(model.invoke(ask["prompt"]), answer)
        return
    message = None
    for chunk in model.stream(ask["prompt"]):
        message = chunk if message is None else message + chunk
        answer.text = message.text
    answer.text = ""
    whole(message, answer)


def whole(message, answer):
    answer.say(message.text)
    for call in message.tool_calls:
        answer.call(call["name"], json.dumps(call["args"]))
    about = message.response_metadata
    answer.finish = about.get("finish_reason") or about.get("stop_reason") or about.get("status")
    answer.by(about.get("model_name") or about.get("model"))
    if message.usage_metadata:
        answer.count(message.usage_metadata["input_tokens"], message.usage_metadata["output_tokens"])


def embeddings(ask, answer):
    model = OpenAIEmbeddings(
        model=ask["model"],
        base_url=ask["base"] + "/v1",
        api_key=ask["key"],
        max_retries=0,
        dimensions=8,
        check_embedding_ctx_length=False,
    )
    answer.vectors = [len(vector) for vector in model.embed_documents([ask["prompt"], "more"])]


serve({"chat": chat, "responses": responses, "messages": messages, "embeddings": embeddings})
