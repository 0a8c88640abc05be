"""OpenAI's client."""

from driver import SCHEMA, TOOL, serve
from openai import OpenAI


def client(ask):
    return OpenAI(base_url=ask["base"] + "/v1", api_key="unused", max_retries=0, timeout=30)


def chat(ask, answer):
    options = {}
    if ask["ask"] == "tools":
        options["tools"] = [{"type": "function", "function": TOOL}]
    if ask["ask"] == "schema":
        schema = {"name": "place", "strict": True, "schema": SCHEMA}
        options["response_format"] = {"type": "json_schema", "json_schema": schema}
    messages = [{"role": "user", "content": ask["prompt"]}] if ask["prompt"] else []
    completions = client(ask).chat.completions
    if not ask["stream"]:
        whole = completions.create(model=ask["model"], messages=messages, **options)
        choice = whole.choices[0]
        answer.say(choice.message.content)
        for call in choice.message.tool_calls or []:
            answer.call(call.function.name, call.function.arguments)
        answer.finish = choice.finish_reason
        answer.count(whole.usage.prompt_tokens, whole.usage.completion_tokens)
        return
    options["stream_options"] = {"include_usage": True}
    for chunk in completions.create(model=ask["model"], messages=messages, stream=True, **options):
        for choice in chunk.choices:
            answer.say(choice.delta.content)
            for call in choice.delta.tool_calls or []:
                answer.call(call.function.name, call.function.arguments)
            answer.finish = choice.finish_reason or answer.finish
        if chunk.usage:
            answer.count(chunk.usage.prompt_tokens, chunk.usage.completion_tokens)


def responses(ask, answer):
    options = {"input": ask["prompt"]}
    if ask["ask"] == "tools":
        options["tools"] = [{"type": "function", "strict": True, **TOOL}]
    if ask["ask"] == "schema":
        options["text"] = {"format": {"type": "json_schema", "name": "place", "strict": True, "schema": SCHEMA}}
    create = client(ask).responses.create
    if not ask["stream"]:
        whole(create(model=ask["model"], **options), answer)
        return
    for event in create(model=ask["model"], stream=True, **options):
        if event.type == "response.output_text.delta":
            answer.say(event.delta)
        if event.type == "response.completed":
            answer.text = ""
            whole(event.response, answer)


def whole(response, answer):
    answer.say(response.output_text)
    for item in response.output:
        if item.type == "function_call":
            answer.call(item.name, item.arguments)
    answer.finish = response.status
    if response.usage:
        answer.count(response.usage.input_tokens, response.usage.output_tokens)


def embeddings(ask, answer):
    got = client(ask).embeddings.create(model=ask["model"], input=[ask["prompt"], "more"], dimensions=8)
    answer.vectors = [len(row.embedding) for row in got.data]
    answer.count(got.usage.prompt_tokens, 0)


def models(ask, answer):
    answer.models = [model.id for model in client(ask).models.list()]


serve({"chat": chat, "responses": responses, "embeddings": embeddings, "models": models})
