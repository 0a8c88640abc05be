"""The drivers, the APIs that each calls, and what its client raises.

A key is the status that the mounted stack answers with, "stream" for an error in mid-stream, or the name of a case that is an exception.
A value is the class, or the class and the status that the client shows in place of the real one.
"""

DRIVERS = {
    "openai-python": ("chat", "responses", "embeddings", "models"),
    "openai-node": ("chat", "responses", "embeddings", "models"),
    "anthropic-python": ("messages", "models"),
    "anthropic-node": ("messages", "models"),
    "openrouter-python": ("chat", "responses", "embeddings", "models"),
    "openrouter-node": ("chat", "responses", "embeddings", "models"),
    "vercel-node": ("chat", "responses", "messages", "embeddings"),
    "langchain-python": ("chat", "messages", "embeddings"),
    "litellm-python": ("chat", "messages"),
    "async-openai-rust": ("chat", "responses", "embeddings", "models"),
    "openrouter-rs-rust": ("chat", "responses", "messages", "embeddings", "models"),
}

OPENAI = {
    400: "BadRequestError",
    402: "APIStatusError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    413: "APIStatusError",
    422: "UnprocessableEntityError",
    429: "RateLimitError",
    502: "InternalServerError",
    503: "InternalServerError",
    504: "InternalServerError",
    "stream": "APIError",
}

OPENAI_NODE = OPENAI | {402: "APIError", 413: "APIError"}

ANTHROPIC = OPENAI | {
    402: "PaymentRequiredError",
    413: "ContentTooLargeError",
    503: "ServiceUnavailableError",
    504: "GatewayTimeoutError",
    "stream": ("APIStatusError", 200),
}

OPENROUTER = {
    400: "BadRequestResponseError",
    402: "PaymentRequiredResponseError",
    403: "ForbiddenResponseError",
    404: "NotFoundResponseError",
    413: "PayloadTooLargeResponseError",
    422: "UnprocessableEntityResponseError",
    429: "TooManyRequestsResponseError",
    502: "BadGatewayResponseError",
    503: "ServiceUnavailableResponseError",
    504: "OpenRouterDefaultError",
    # Its readers give the error to the caller as a part of the last chunk, or as an event.
    "stream": "chunk.error",
}

VERCEL = dict.fromkeys((400, 402, 403, 404, 413, 422, 429, 502, 503, 504), "APICallError") | {
    "stream": "StreamProviderError",
    "stop": "stop",
    "tool_calls": "tool-calls",
}

LANGCHAIN_OPENAI = OPENAI | {
    400: "OpenAIInvalidRequestError",
    403: "OpenAIPermissionDeniedError",
    404: "OpenAIModelNotFoundError",
    429: "OpenAIRateLimitError",
    502: "OpenAIAPIError",
    503: "OpenAIAPIError",
    504: "OpenAIAPIError",
    # OpenRouter repeats the finish reason with the usage, and this client joins what it gets.
    "finish": False,
}

LANGCHAIN_ANTHROPIC = ANTHROPIC | {
    400: "AnthropicInvalidRequestError",
    403: "AnthropicPermissionDeniedError",
    404: "AnthropicModelNotFoundError",
    429: "AnthropicRateLimitError",
    502: "AnthropicAPIError",
    503: "AnthropicAPIError",
    504: "AnthropicAPIError",
}

LITELLM = {
    400: "BadRequestError",
    402: "APIError",
    403: "APIError",
    404: "NotFoundError",
    413: "APIError",
    422: "BadRequestError",
    429: "RateLimitError",
    502: "BadGatewayError",
    503: "ServiceUnavailableError",
    504: "Timeout",
    "stream": ("MidStreamFallbackError", 500),
    # It keeps the message alone of an error.
    "details": False,
    # It goes by phrases in the message, which quotes the upstream's page.
    "error-520": ("InternalServerError", 500),
}

LITELLM_MESSAGES = LITELLM | {
    402: "PaymentRequiredError",
    # Here the message is the whole body.
    "details": True,
    403: "PermissionDeniedError",
    413: ("BadRequestError", 400),
    # It goes by the word `overloaded`.
    503: ("InternalServerError", 500),
    "error-402": "ServiceUnavailableError",
    "error-520": "BadGatewayError",
    # For this API it drops the headers of an error, and gives the finish reason the words of chat.
    "retry-after": False,
    "stop": "stop",
    "tool_calls": "tool_calls",
}

# The classes of Rust clients are variants of their error. Neither has room for a header.
ASYNC_OPENAI = dict.fromkeys((400, 402, 403, 404, 413, 422, 429, 502, 503, 504), "ApiError") | {
    # It knows no chunk with an error, and gives it to its caller as the text that it could not read.
    "stream": "JSONDeserialize",
    "retry-after": False,
}

OPENROUTER_RS = dict.fromkeys((400, 402, 403, 404, 413, 422, 429, 502, 503, 504), "Api") | {
    # Its own finish reason, and its own events.
    "stream": "FinishReason::Error",
    # It shows its caller the status and the message of an error.
    "details": False,
    "retry-after": False,
}

CLASSES = {
    ("openai-python", "chat"): OPENAI,
    ("openai-python", "responses"): OPENAI,
    ("openai-python", "embeddings"): OPENAI,
    ("openai-node", "chat"): OPENAI_NODE,
    ("openai-node", "responses"): OPENAI_NODE,
    ("openai-node", "embeddings"): OPENAI_NODE,
    ("anthropic-python", "messages"): ANTHROPIC,
    ("anthropic-node", "messages"): ANTHROPIC | {"stream": "APIError"},
    ("openrouter-python", "chat"): OPENROUTER,
    ("openrouter-python", "responses"): OPENROUTER | {"stream": "error"},
    ("openrouter-python", "embeddings"): OPENROUTER,
    ("openrouter-node", "chat"): OPENROUTER,
    ("openrouter-node", "responses"): OPENROUTER | {"stream": "error"},
    ("openrouter-node", "embeddings"): OPENROUTER,
    ("vercel-node", "chat"): VERCEL,
    ("vercel-node", "responses"): VERCEL,
    ("vercel-node", "messages"): VERCEL,
    ("vercel-node", "embeddings"): VERCEL,
    ("langchain-python", "chat"): LANGCHAIN_OPENAI,
    ("langchain-python", "messages"): LANGCHAIN_ANTHROPIC,
    ("langchain-python", "embeddings"): OPENAI,
    ("litellm-python", "chat"): LITELLM,
    ("litellm-python", "messages"): LITELLM_MESSAGES,
    ("async-openai-rust", "chat"): ASYNC_OPENAI,
    ("async-openai-rust", "responses"): ASYNC_OPENAI | {"stream": "ResponseError"},
    ("async-openai-rust", "embeddings"): ASYNC_OPENAI,
    ("openrouter-rs-rust", "chat"): OPENROUTER_RS,
    ("openrouter-rs-rust", "responses"): OPENROUTER_RS | {"stream": "error"},
    ("openrouter-rs-rust", "messages"): OPENROUTER_RS | {"stream": "Error"},
    ("openrouter-rs-rust", "embeddings"): OPENROUTER_RS,
}


def of(driver, api):
    return CLASSES.get((driver, api), {})
