"""The cases: what the upstream does, what the client asks, and what its caller must get."""

import dataclasses
import json
import typing

#: The model that is asked for, and the one that the service falls back to.
MODEL = "demo/model"
FALLBACK = "openai/gpt-4o-mini"
EMBEDDER = "openai/text-embedding-3-small"

TEXT = ("chat", "responses", "messages")
WORDS = "light passes through the"
#: The finish reasons of chat in the words of the other APIs.
FINISH = {
    "responses": {"stop": "completed", "tool_calls": "completed"},
    "messages": {"stop": "end_turn", "tool_calls": "tool_use"},
}
#: How each API's envelope names a budget's refusal: its type, and the code.
BUDGET = {"messages": ("billing_error", "budget_exceeded")}
#: The same of the APIs whose envelope is OpenAI's or OpenRouter's.
BUDGET_ELSEWHERE = ("insufficient_quota", "budget_exceeded")
#: A wait that the stack does not sit out, so that the client is told of it.
WAIT = "40"


@dataclasses.dataclass
class Case:
    """One row: a plan for each model, a question, and what is expected of the answer."""

    name: str
    plans: dict
    apis: tuple = TEXT
    stream: bool = False
    ask: typing.Any = "text"
    prompt: str = "Why is the sky blue?"
    model: str = MODEL
    text: typing.Optional[str] = None
    arguments: typing.Optional[dict] = None
    vectors: typing.Optional[list] = None
    finish: typing.Optional[str] = None
    #: Models that the list must have.
    models: tuple = ()
    usage: bool = False
    #: The status of the error, or "stream" for one in mid-stream.
    error: typing.Any = None
    retry_after: typing.Optional[str] = None
    #: Parts of the message that the caller reads.
    words: tuple = ()
    #: Whether the caller must be able to read that our own budget refused.
    budget: bool = False
    #: What the service is started with beside the usual.
    settings: tuple = ()
    #: Drivers, or a driver and its API, for which the case has no meaning, and why.
    not_for: dict = dataclasses.field(default_factory=dict)

    @property
    def fails_upstream(self):
        return any(plan.split(";")[0][:3].isdigit() or "error" in plan or "cut" in plan for plan in self.plans.values())

    def runs_for(self, driver, api):
        return driver not in self.not_for and (driver, api) not in self.not_for

    def ask_of(self, api, base):
        return {"api": api, "base": base, "model": self.model, "stream": self.stream, "ask": self.ask, "prompt": self.prompt}

    def check(self, api, got, classes):
        """What is wrong with an answer, in sentences."""
        wrong = []

        def expect(what, wanted, found):
            if wanted != found:
                wrong.append(f"{what}: wanted {wanted!r}, got {found!r}")

        error = got["error"]
        if self.error is None:
            if error:
                return [f"an error: {error['class']}: {error['message']}"]
        else:
            expected = classes.get(self.name, classes.get(self.error))
            expected, status = expected if isinstance(expected, tuple) else (expected, self.error)
            if not error:
                return [f"no error, though {self.error} was to be seen"]
            expect("class", expected, error["class"])
            if isinstance(status, int):
                expect("status", status, error["status"])
            if self.retry_after and classes.get("retry-after", True):
                expect("retry-after", self.retry_after, error.get("retry_after"))
            for word in self.words:
                if word not in error["message"]:
                    wrong.append(f"message: {word!r} is not in {error['message']!r}")
            if self.budget and classes.get("details", True):
                readable = json.dumps([error["message"], error.get("code"), error.get("body")])
                for word in BUDGET.get(api, BUDGET_ELSEWHERE):
                    if word not in readable:
                        wrong.append(f"details: {word!r} is not in {readable}")
        if self.text is not None:
            expect("text", self.text, got["text"])
        if self.arguments is not None:
            found = got["arguments"] if self.ask == "tools" else got["text"]
            try:
                expect("arguments", self.arguments, json.loads(found))
            except ValueError:
                wrong.append(f"no JSON: {found!r}")
            if self.ask == "tools":
                expect("tool", "get_weather", got["tool"])
        for model in self.models:
            if model not in (got["models"] or ()):
                wrong.append(f"models: {model!r} is not in {got['models']}")
        if self.vectors is not None:
            expect("vectors", self.vectors, got["vectors"])
        if self.finish is not None and classes.get("finish", True):
            word = FINISH.get(api, {}).get(self.finish, self.finish)
            expect("finish", classes.get(self.finish, word), got["finish"])
        if self.usage:
            found = got["usage"]
            if not found or min(found) < 1:
                wrong.append(f"usage: {found}")
        return wrong


def both(name, **row):
    """The row as a plain call and as a stream."""
    yield Case(name, **row)
    yield Case(name + "-stream", stream=True, **row)


def errors():
    """Each class of error, as the client's own exception. Both models fail alike, so that no fallback hides it."""
    for plan, status, words in [
        ("400", 400, ("temperature",)),
        ("400-policy", 400, ("content policy",)),
        ("401", 502, ()),
        ("402", 503, ()),
        ("403", 403, ("Permission denied",)),
        ("404", 404, ("No endpoints",)),
        ("413", 413, ("too large",)),
        ("422", 422, ("Invalid argument",)),
        ("429-upstream", 429, ("rate-limited",)),
        ("500", 502, ()),
        ("502", 502, ("upstream connect error",)),
        ("503", 503, ("temporarily unavailable",)),
        ("504", 504, ("timeout",)),
        ("529", 503, ("overloaded",)),
        ("520", 502, ()),
        ("error=503;words=3", 503, ("overloaded",)),
    ]:
        waits = status in (429, 502, 503, 504)
        full = f"{plan};retry-after={WAIT}" if waits and not plan.startswith("error") else plan
        row = {
            "plans": {MODEL: full, FALLBACK: full},
            "error": status,
            "words": words,
            "retry_after": WAIT if full != plan else None,
        }
        name = "error-" + plan.split(";")[0].replace("=", "-")
        if plan in ("403", "429-upstream", "503"):
            yield from both(name, **row)
        else:
            yield Case(name, **row)


#: A budget below the price of one token: the service's own refusal, before anything is sent.
REFUSED = {
    "plans": {},
    "settings": (("DAILY_BUDGET", "0.00000001"),),
    "error": 402,
    "words": ("the budget `service-day`", "is spent"),
    "budget": True,
}

CASES = [
    *both("text", plans={MODEL: "text=Hello%20world"}, text="Hello world", finish="stop", usage=True),
    *both(
        "tools",
        plans={MODEL: "ok"},
        ask="tools",
        prompt="How is the weather in Oslo?",
        arguments={"city": "Oslo"},
        finish="tool_calls",
    ),
    Case(
        "schema",
        plans={MODEL: "ok"},
        ask="schema",
        arguments={"city": "Oslo"},
        not_for={("openrouter-rs-rust", "messages"): "has no structured output for this API"},
    ),
    *both("rescued", plans={MODEL: "503", FALLBACK: "text=Rescued"}, text="Rescued", finish="stop", usage=True),
    Case("keep-alives", plans={MODEL: "text=Hello%20world;keepalive=3"}, stream=True, text="Hello world"),
    *errors(),
    Case(
        "no-messages",
        plans={},
        prompt="",
        apis=("chat", "messages"),
        error=400,
        words=("message",),
        not_for=dict.fromkeys(("vercel-node", "langchain-python"), "sends an empty message"),
    ),
    Case("cut-plain", plans={MODEL: "words=9;cut@4", FALLBACK: "words=9;cut@4"}, error=502),
    Case("cut", plans={MODEL: "words=9;cut@4"}, stream=True, text=WORDS, error="stream"),
    Case("reset", plans={MODEL: "words=9;cut@4;rst"}, stream=True, text=WORDS, error="stream"),
    Case("error-event", plans={MODEL: "words=9;error=502@4"}, stream=True, text=WORDS, error="stream"),
    Case("no-end", plans={MODEL: "words=4;no-finish"}, apis=("chat", "messages"), stream=True, text=WORDS, error="stream"),
    # All items of the response are whole, and only the last event is missing: so OpenRouter ended streams in September 2026.
    Case("no-end-items-whole", plans={MODEL: "words=4;no-finish"}, apis=("responses",), stream=True, text=WORDS),
    Case("embed", plans={}, model=EMBEDDER, apis=("embeddings",), ask="embed", vectors=[8, 8], usage=False),
    Case(
        "embed-429",
        plans=dict.fromkeys((EMBEDDER, FALLBACK), f"429-upstream;retry-after={WAIT}"),
        model=EMBEDDER,
        apis=("embeddings",),
        ask="embed",
        error=429,
        retry_after=WAIT,
    ),
    *both("budget", **REFUSED),
    Case("embed-budget", **REFUSED | {"apis": ("embeddings",), "model": EMBEDDER, "ask": "embed"}),
    Case("models", plans={}, apis=("models",), ask="models", models=(MODEL, FALLBACK, EMBEDDER)),
    Case("embed-400", plans={EMBEDDER: "400"}, model=EMBEDDER, apis=("embeddings",), ask="embed", error=400),
]


def of(api):
    return [case for case in CASES if api in case.apis]
