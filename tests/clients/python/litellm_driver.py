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


def run(model, base, ask, answer, **options):
    options |= {"model": model, "api_base": base, "api_key": "unused", "num_retries": 0, "max_retries": 0, "timeout": 30}
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
        answer.count(whole.usage.prompt_tokens, whole.usage.completion_tokens)
        return
    for chunk in litellm.completion(stream=True, stream_options={"include_usage": True}, **options):
        for choice in chunk.choices:
            answer.say(choice.delta.content)
            for call in choice.delta.tool_calls or []:
                answer.call(call.function.name, call.function.arguments)
            answer.finish = choice.finish_reason or answer.finish
        if getattr(chunk, "usage", None):
            answer.count(chunk.usage.prompt_tokens, chunk.usage.completion_tokens)


serve({"chat": chat, "messages": messages})
