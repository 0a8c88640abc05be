"""What the drivers share: one JSON line in, one JSON line out."""

import collections
import json
import sys

#: The one tool of the cases.
TOOL = {
    "name": "get_weather",
    "description": "The weather in a city",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}

#: The one schema of the cases.
SCHEMA = TOOL["parameters"]


class Answer:
    """What a client gave its caller, in words that all clients share."""

    def __init__(self):
        self.text = ""
        self.tool = ""
        self.arguments = ""
        self.finish = None
        self.usage = None
        self.model = None
        self.vectors = None
        self.models = None
        self.counts = None
        self.error = None

    def say(self, text):
        self.text += text or ""

    def call(self, name, arguments):
        self.tool += name or ""
        self.arguments += arguments or ""

    def count(self, tokens_in, tokens_out):
        self.usage = [tokens_in, tokens_out]

    def tally(self, ends):
        self.counts = dict(collections.Counter(ends))

    def by(self, model):
        self.model = model or self.model


def failed(error):
    """An exception of any client. What a caller can read of it is looked for where the clients keep it."""
    response = getattr(error, "response", None) or getattr(error, "raw_response", None)
    headers = getattr(error, "headers", None) or getattr(response, "headers", None) or {}
    status = getattr(error, "status_code", None)
    return {
        "class": type(error).__name__,
        "module": type(error).__module__.split(".")[0],
        "status": status,
        "retry_after": headers.get("retry-after"),
        "code": getattr(error, "code", None),
        "body": str(getattr(error, "body", None)),
        "message": str(error)[:2000],
    }


def serve(calls):
    """Answers each line by the call of its API: `calls[api](ask, answer)`."""
    calls = {"ready": lambda ask, answer: None} | calls
    for line in sys.stdin:
        ask = json.loads(line)
        answer = Answer()
        try:
            calls[ask["api"]](ask, answer)
        except Exception as error:  # whatever the client raises is the result
            answer.error = failed(error)
        sys.stdout.write(json.dumps(vars(answer)) + "\n")
        sys.stdout.flush()
