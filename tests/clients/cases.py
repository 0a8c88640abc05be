"""The cases: what the upstream does, what the client asks, and what its caller must get."""

import dataclasses
import json
import typing

from servers import REVOKED

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
#: What the cases run against: the example axum_service, and the gateway with client keys.
SERVICE, GATEWAY = "service", "gateway"
#: Settings of the gateway that all cases about client keys share: only a database has a key that was revoked.
KEPT = ('storage.sqlite = "gateway.db"',)
#: Settings of the gateway under which a silence soon counts as one.
IMPATIENT = ('idle_timeout = "500ms"', 'circuit_breaker = "off"')
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
    #: Models that the list must not have.
    hidden: tuple = ()
    #: The model that must have answered.
    by: typing.Optional[str] = None
    #: The status of the error, or "stream" for one in mid-stream.
    error: typing.Any = None
    #: Whole seconds as text, or True for any number of them.
    retry_after: typing.Any = None
    #: Parts of the message that the caller reads.
    words: tuple = ()
    #: The same, by the target.
    words_of: dict = dataclasses.field(default_factory=dict)
    #: Whether the caller must be able to read that our own budget refused.
    budget: bool = False
    #: What the case runs against.
    targets: tuple = (SERVICE, GATEWAY)
    #: What the service is started with beside the usual: variables.
    settings: tuple = ()
    #: The same of the gateway: lines of its settings.
    lines: tuple = ()
    #: The name of the client key that the gateway gets; `None`: the client sends no key.
    key: typing.Optional[str] = "free"
    #: Whether a call has been made with the key before, so that its limit is reached.
    used: bool = False
    #: Drivers, or a driver and its API, for which the case has no meaning, and why.
    not_for: dict = dataclasses.field(default_factory=dict)

    @property
    def fails_upstream(self):
        return any(plan.split(";")[0][:3].isdigit() or "error" in plan or "cut" in plan for plan in self.plans.values())

    def runs_for(self, driver, api):
        return driver not in self.not_for and (driver, api) not in self.not_for

    def pair_settings(self, target):
        """What the target needs that pairs without settings lack."""
        if target == SERVICE:
            return self.settings
        return self.lines or (() if self.key == "free" else KEPT)

    def ask_of(self, api, base, key):
        about = {"api": api, "base": base, "key": key, "model": self.model}
        return about | {"stream": self.stream, "ask": self.ask, "prompt": self.prompt}

    def check(self, target, api, got, classes):
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
                found = error.get("retry_after")
                wanted = found if self.retry_after is True and found and int(found) > 0 else self.retry_after
                expect("retry-after", wanted, found)
            for word in self.words + self.words_of.get(target, ()):
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
        for model in self.hidden:
            if model in (got["models"] or ()):
                wrong.append(f"models: {model!r} is in {got['models']}")
        if self.by is not None and classes.get("stream-model" if self.stream else "model", True):
            expect("model", self.by, got["model"])
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


def embed_errors():
    """The same classes for embeddings. Another model's vectors are not comparable, so none answers instead."""
    for case in errors():
        # A plain answer is never streamed, and has no words.
        if not case.stream and "=" not in case.plans[MODEL].split(";")[0]:
            row = {"plans": {EMBEDDER: case.plans[MODEL]}, "model": EMBEDDER, "apis": ("embeddings",), "ask": "embed"}
            name = "embed-" + case.name.removeprefix("error-")
            # Both targets have the same endpoint: of the gateway two classes are enough.
            targets = (SERVICE, GATEWAY) if name in ("embed-400", "embed-429-upstream") else (SERVICE,)
            yield dataclasses.replace(case, name=name, targets=targets, **row)


#: A budget below the price of one token: the target's own refusal, before anything is sent.
REFUSED = {
    "plans": {},
    "settings": (("DAILY_BUDGET", "0.00000001"),),
    "key": "poor",
    "error": 402,
    "words": ("is spent",),
    "words_of": {SERVICE: ("the budget `service-day`",), GATEWAY: ("the budget `key/poor/ever`",)},
    "budget": True,
}


def refused_keys():
    """What the gateway refuses by the client key, as the client's own exception."""
    for name, row in [
        ("key-missing", {"key": None, "error": 401, "words": ("needs a client key",)}),
        ("key-unknown", {"key": "unknown", "error": 401, "words": ("is not known here",)}),
        ("key-expired", {"key": "expired", "error": 401, "words": ("`expired` expired at 2026-01-01",)}),
        ("key-revoked", {"key": REVOKED, "error": 401, "words": (f"`{REVOKED}` was revoked",)}),
        ("key-model", {"key": "narrow", "error": 404, "words": ("`narrow` does not allow the model", "use anthropic/*")}),
        ("key-limit", {"key": "slow", "used": True, "error": 429, "retry_after": True}),
    ]:
        row |= {"plans": {}, "targets": (GATEWAY,)}
        if name == "key-missing":
            row["not_for"] = CANNOT_LEAVE_OUT
        yield Case(name, **row)
        yield Case("embed-" + name, **row | {"apis": ("embeddings",), "model": EMBEDDER, "ask": "embed"})
        if row["error"] == 401 and row["key"]:
            yield Case("models-" + name, **row | {"apis": ("models",), "ask": "models"})
        if name in ("key-unknown", "key-limit"):
            yield Case(name + "-stream", stream=True, **row)


#: Drivers whose client makes no call without a key.
CANNOT_LEAVE_OUT = dict.fromkeys(
    (
        "langchain-python",
        "litellm-python",
        "openrouter-python",
        "openrouter-rs-rust",
        ("vercel-node", "responses"),
        ("vercel-node", "messages"),
    ),
    "makes no call without a key",
)


def interruptions():
    """An interruption in mid-stream, as the client's own error."""
    row = {"stream": True, "error": "stream", "not_for": STREAMS_NOTHING}
    yield Case("cut", plans={MODEL: "words=9;cut@4"}, text=WORDS, **row)
    yield Case("reset", plans={MODEL: "words=9;cut@4;rst"}, text=WORDS, **row)
    yield Case("error-event", plans={MODEL: "words=9;error=502@4"}, text=WORDS, **row)
    # Inside a tool call: its arguments have begun, and never become whole.
    yield Case("cut-tool", plans={MODEL: "tool;cut@2"}, ask="tools", **row)
    yield Case("silence", plans={MODEL: "words=9;stall=60s@4"}, targets=(GATEWAY,), lines=IMPATIENT, text=WORDS, **row)


#: Drivers whose client makes a plain call, and gives its caller the answer in pieces.
STREAMS_NOTHING = {("litellm-python", "responses"): "makes a plain call of a model that it does not know"}

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
    *both("rescued", plans={MODEL: "503", FALLBACK: "text=Rescued"}, text="Rescued", finish="stop", usage=True, by=FALLBACK),
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
    *interruptions(),
    Case("no-end", plans={MODEL: "words=4;no-finish"}, apis=("chat", "messages"), stream=True, text=WORDS, error="stream"),
    # All items of the response are whole, and only the last event is missing: so OpenRouter ended streams in September 2026.
    Case("no-end-items-whole", plans={MODEL: "words=4;no-finish"}, apis=("responses",), stream=True, text=WORDS),
    Case("embed", plans={}, model=EMBEDDER, apis=("embeddings",), ask="embed", vectors=[8, 8], usage=False),
    *embed_errors(),
    *both("budget", **REFUSED),
    Case("embed-budget", **REFUSED | {"apis": ("embeddings",), "model": EMBEDDER, "ask": "embed"}),
    Case("models", plans={}, apis=("models",), ask="models", models=(MODEL, FALLBACK, EMBEDDER)),
    *refused_keys(),
    Case(
        "key-models",
        plans={},
        apis=("models",),
        ask="models",
        targets=(GATEWAY,),
        key="narrow",
        models=("anthropic/claude-sonnet-4.5",),
        hidden=(MODEL, FALLBACK, EMBEDDER),
    ),
]


def of(target, api):
    return [case for case in CASES if api in case.apis and target in case.targets]
