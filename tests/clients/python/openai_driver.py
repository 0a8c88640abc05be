"""OpenAI's client."""

from concurrent.futures import ThreadPoolExecutor

from driver import SCHEMA, TOOL, serve
from openai import APIStatusError, Omit, OpenAI


def client(ask):
    return OpenAI(base_url=ask["base"] + "/v1", api_key=ask["key"] or "left out", max_retries=0, timeout=30)


def headers(ask):
    """Without a key the header is left out, of each call: the client has no other way."""
    return {} if ask["key"] else {"Authorization": Omit()}


def chat(ask, answer):
    options = {"extra_headers": headers(ask)}
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
        answer.by(whole.model)
        answer.count(whole.usage.prompt_tokens, whole.usage.completion_tokens)
        return
    options["stream_options"] = {"include_usage": True}
    for chunk in completions.create(model=ask["model"], messages=messages, stream=True, **options):
        answer.by(chunk.model)
        for choice in chunk.choices:
            answer.say(choice.delta.content)
            for call in choice.delta.tool_calls or []:
                answer.call(call.function.name, call.function.arguments)
            answer.finish = choice.finish_reason or answer.finish
        if chunk.usage:
            answer.count(chunk.usage.prompt_tokens, chunk.usage.completion_tokens)


def responses(ask, answer):
    options = {"input": ask["prompt"], "extra_headers": headers(ask)}
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
    answer.by(response.model)
    if response.usage:
        answer.count(response.usage.input_tokens, response.usage.output_tokens)


def embeddings(ask, answer):
    options = {"input": [ask["prompt"], "more"], "dimensions": 8, "extra_headers": headers(ask)}
    got = client(ask).embeddings.create(model=ask["model"], **options)
    answer.vectors = [len(row.embedding) for row in got.data]
    answer.count(got.usage.prompt_tokens, 0)


def models(ask, answer):
    answer.models = [model.id for model in client(ask).models.list()]


def storm(ask, answer):
    """Many calls at once, every other one streamed: how each ended, counted."""
    completions = client(ask).chat.completions
    messages = [{"role": "user", "content": ask["prompt"]}]

    def one(number):
        options = {"model": ask["model"], "messages": messages, "max_tokens": ask["most"]}
        try:
            if number % 2:
                return "ok" if completions.create(**options).choices else "empty"
            ends = [chunk.choices[0].finish_reason for chunk in completions.create(stream=True, **options) if chunk.choices]
            return "ok" if ends and ends[-1] in ("stop", "length") else f"ended by {ends[-1:]}"
        except APIStatusError as error:
            return str(error.status_code)
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    with ThreadPoolExecutor(ask["count"]) as pool:
        answer.tally(pool.map(one, range(ask["count"])))


serve({"chat": chat, "responses": responses, "embeddings": embeddings, "models": models, "storm": storm})
