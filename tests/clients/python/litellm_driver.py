"""LiteLLM as a client."""

import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # or it asks the network

import litellm  # noqa: E402
from driver import SCHEMA, TOOL, serve  # noqa: E402

litellm.suppress_debug_info = True


def chat(ask, answer):
    run("openai/" + ask["model"], ask["base"] + "/v1", ask, answer)


def messages(ask, answer):
    run("anthropic/" + ask["model"], ask["base"], ask, answer, max_tokens=4096)


def about(model, base, ask):
    return {"model": model, "api_base": base, "api_key": ask["key"], "num_retries": 0, "max_retries": 0, "timeout": 30}


def run(model, base, ask, answer, **options):
    options |= about(model, base, ask)
    options["messages"] = [{"role": "user", "content": ask["prompt"]}] if ask["prompt"] else []
    if ask["ask"] == "tools":
        options["tools"] = [{"type": "function", "function": TOOL}]
    if ask["ask"] == "schema":
        schema = {"name": "place", "strict": True, "schema": SCHEMA}
        options["response_format"] = {"type": "json_schema", "json_schema": schema}
    if not ask["stream"]:
        whole = litellm.completion(**options)
        choice = whole.choices[0]
        answer.say(choice.message.content)
        for call in choice.message.tool_calls or []:
            answer.call(call.function.name, call.function.arguments)
        answer.finish = choice.finish_reason
        answer.by(whole.model)
        answer.count(whole.usage.prompt_tokens, whole.usage.completion_tokens)
        return
    for chunk in litellm.completion(stream=True, stream_options={"include_usage": True}, **options):
        answer.by(chunk.model)
        for choice in chunk.choices:
            answer.say(choice.delta.content)
            for call in choice.delta.tool_calls or []:
                answer.call(call.function.name, call.function.arguments)
            answer.finish = choice.finish_reason or answer.finish
        if getattr(chunk, "usage", None):
            answer.count(chunk.usage.prompt_tokens, chunk.usage.completion_tokens)


def responses(ask, answer):
    options = about("openai/" + ask["model"], ask["base"] + "/v1", ask) | {"input": ask["prompt"]}
    if ask["ask"] == "tools":
        options["tools"] = [{"type": "function", "strict": True, **TOOL}]
    if ask["ask"] == "schema":
        options["text"] = {"format": {"type": "json_schema", "name": "place", "strict": True, "schema": SCHEMA}}
    if not ask["stream"]:
        whole_response(litellm.responses(**options), answer)
        return
    for event in litellm.responses(stream=True, **options):
        if event.type == "response.output_text.delta":
            answer.say(event.delta)
        if event.type == "response.completed":
            answer.text = ""
            whole_response(event.response, answer)


def whole_response(response, answer):
    for item in response.output:
        if item.type == "message":
            answer.say("".join(part.text for part in item.content))
        if item.type == "function_call":
            answer.call(item.name, item.arguments)
    answer.finish = response.status
    answer.by(response.model)
    if response.usage:
        answer.count(response.usage.input_tokens, response.usage.output_tokens)


def embeddings(ask, answer):
    options = about("openai/" + ask["model"], ask["base"] + "/v1", ask)
    got = litellm.embedding(input=[ask["prompt"], "more"], dimensions=8, allowed_openai_params=["dimensions"], **options)
    answer.vectors = [len(row["embedding"]) for row in got.data]
    answer.count(got.usage.prompt_tokens, 0)


serve({"chat": chat, "responses": responses, "messages": messages, "embeddings": embeddings})
