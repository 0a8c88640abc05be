"""Anthropic's client."""

import json

from anthropic import Anthropic, Omit
from driver import SCHEMA, TOOL, serve


def anthropic(ask):
    options = {"api_key": ask["key"] or "left out", "max_retries": 0, "timeout": 30}
    if not ask["key"]:
        options["default_headers"] = {"X-Api-Key": Omit(), "Authorization": Omit()}
    return Anthropic(base_url=ask["base"], **options)


def messages(ask, answer):
    client = anthropic(ask)
    options = {"model": ask["model"], "max_tokens": 4096, "messages": []}
    if ask["prompt"]:
        options["messages"] = [{"role": "user", "content": ask["prompt"]}]
    if ask["ask"] == "tools":
        schema = TOOL["parameters"]
        options["tools"] = [{"name": TOOL["name"], "description": TOOL["description"], "input_schema": schema}]
    if ask["ask"] == "schema":
        options["output_config"] = {"format": {"type": "json_schema", "schema": SCHEMA}}
    if not ask["stream"]:
        whole(client.messages.create(**options), answer)
        return
    with client.messages.stream(**options) as stream:
        for text in stream.text_stream:
            answer.say(text)
        final = stream.get_final_message()
    answer.text = ""
    whole(final, answer)


def whole(message, answer):
    for block in message.content:
        if block.type == "text":
            answer.say(block.text)
        if block.type == "tool_use":
            answer.call(block.name, json.dumps(block.input))
    answer.finish = message.stop_reason
    answer.by(message.model)
    answer.count(message.usage.input_tokens, message.usage.output_tokens)


def models(ask, answer):
    answer.models = [model.id for model in anthropic(ask).models.list()]


serve({"messages": messages, "models": models})
