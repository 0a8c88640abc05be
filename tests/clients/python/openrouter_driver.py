"""OpenRouter's own client."""

from driver import SCHEMA, TOOL, serve
from openrouter import OpenRouter
from openrouter.utils import RetryConfig


def client(ask):
    return OpenRouter(
        api_key=ask["key"] or "",
        server_url=ask["base"] + "/api/v1",
        retry_config=RetryConfig("none", None, False),
        timeout_ms=30_000,
    )


def chat(ask, answer):
    options = {"model": ask["model"], "messages": []}
    if ask["prompt"]:
        options["messages"] = [{"role": "user", "content": ask["prompt"]}]
    if ask["ask"] == "tools":
        options["tools"] = [{"type": "function", "function": TOOL}]
    if ask["ask"] == "schema":
        schema = {"name": "place", "strict": True, "schema": SCHEMA}
        options["response_format"] = {"type": "json_schema", "json_schema": schema}
    with client(ask) as openrouter:
        if not ask["stream"]:
            whole = openrouter.chat.send(stream=False, **options)
            choice = whole.choices[0]
            answer.say(choice.message.content)
            for call in choice.message.tool_calls or []:
                answer.call(call.function.name, call.function.arguments)
            answer.finish = choice.finish_reason
            answer.by(whole.model)
            answer.count(whole.usage.prompt_tokens, whole.usage.completion_tokens)
            return
        for chunk in openrouter.chat.send(stream=True, **options):
            answer.by(chunk.model)
            for choice in chunk.choices:
                answer.say(choice.delta.content)
                for call in choice.delta.tool_calls or []:
                    function = call.function
                    answer.call(function and function.name, function and function.arguments)
                answer.finish = choice.finish_reason or answer.finish
            if chunk.usage:
                answer.count(chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
            if chunk.error:
                # This client gives the error of a stream to its caller as a part of the chunk.
                answer.error = {"class": "chunk.error", "status": int(chunk.error.code), "message": chunk.error.message}


def responses(ask, answer):
    options = {"model": ask["model"], "input": ask["prompt"]}
    if ask["ask"] == "tools":
        options["tools"] = [{"type": "function", "strict": True, **TOOL}]
    if ask["ask"] == "schema":
        options["text"] = {"format": {"type": "json_schema", "name": "place", "strict": True, "schema": SCHEMA}}
    with client(ask) as openrouter:
        if not ask["stream"]:
            whole(openrouter.responses.send(stream=False, **options), answer)
            return
        for event in openrouter.responses.send(stream=True, **options):
            kind = getattr(event, "type", None)
            if kind == "response.output_text.delta":
                answer.say(event.delta)
            if kind == "response.completed":
                answer.text = ""
                whole(event.response, answer)
            if kind in ("error", "response.error", "response.failed"):
                answer.error = {"class": kind, "message": str(event)}


def whole(response, answer):
    for item in response.output:
        if item.type == "message":
            answer.text += "".join(part.text for part in item.content if part.type == "output_text")
        if item.type == "function_call":
            answer.call(item.name, item.arguments)
    answer.finish = response.status
    answer.by(response.model)
    if response.usage:
        answer.count(response.usage.input_tokens, response.usage.output_tokens)


def embeddings(ask, answer):
    with client(ask) as openrouter:
        got = openrouter.embeddings.generate(model=ask["model"], input=[ask["prompt"], "more"], dimensions=8)
    answer.vectors = [len(row.embedding) for row in got.data]
    answer.count(got.usage.prompt_tokens, 0)


def models(ask, answer):
    with client(ask) as openrouter:
        answer.models = []
        # Two a page: the client reads on until a page is not full.
        page = openrouter.models.list(limit=2)
        while page:
            answer.models += [model.id for model in page.result.data]
            page = page.next()


serve({"chat": chat, "responses": responses, "embeddings": embeddings, "models": models})
