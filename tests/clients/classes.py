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
    "langchain-python": ("chat", "responses", "messages", "embeddings"),
    "litellm-python": ("chat", "responses", "messages", "embeddings"),
    "async-openai-rust": ("chat", "responses", "embeddings", "models"),
    "openrouter-rs-rust": ("chat", "responses", "messages", "embeddings", "models"),
}

STATUSES = (400, 401, 402, 403, 404, 413, 422, 429, 502, 503, 504)

OPENAI = {
    400: "BadRequestError",
    401: "AuthenticationError",
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
    401: "UnauthorizedResponseError",
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

VERCEL = dict.fromkeys(STATUSES, "APICallError") | {
    "stream": "StreamProviderError",
    "stop": "stop",
    "tool_calls": "tool-calls",
}

LANGCHAIN_OPENAI = OPENAI | {
    400: "OpenAIInvalidRequestError",
    401: "OpenAIAuthenticationError",
    403: "OpenAIPermissionDeniedError",
    404: "OpenAIModelNotFoundError",
    429: "OpenAIRateLimitError",
    502: "OpenAIAPIError",
    503: "OpenAIAPIError",
    504: "OpenAIAPIError",
    # OpenRouter repeats the finish reason and the model with the usage, and this client joins what it gets.
    "finish": False,
    "stream-model": False,
}

LANGCHAIN_ANTHROPIC = ANTHROPIC | {
    400: "AnthropicInvalidRequestError",
    401: "AnthropicAuthenticationError",
    403: "AnthropicPermissionDeniedError",
    404: "AnthropicModelNotFoundError",
    429: "AnthropicRateLimitError",
    502: "AnthropicAPIError",
    503: "AnthropicAPIError",
    504: "AnthropicAPIError",
}

LITELLM = {
    400: "BadRequestError",
    401: "AuthenticationError",
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
    # Its streams name the requested model.
    "stream-model": False,
    # It goes by phrases in the message, which quotes the upstream's page.
    "error-520": ("InternalServerError", 500),
    "embed-520": ("InternalServerError", 500),
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

LITELLM_RESPONSES = LITELLM | {
    413: "BadRequestError",
    "error-400-policy": "ContentPolicyViolationError",
    # For this API it drops the headers of an error.
    "retry-after": False,
}

# The classes of Rust clients are variants of their error. Neither has room for a header.
ASYNC_OPENAI = dict.fromkeys(STATUSES, "ApiError") | {
    # It knows no chunk with an error, and gives it to its caller as the text that it could not read.
    "stream": "JSONDeserialize",
    "retry-after": False,
}

OPENROUTER_RS = dict.fromkeys(STATUSES, "Api") | {
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
    ("openrouter-python", "embeddings"): OPENROUTER | {422: "OpenRouterDefaultError", 504: "GatewayTimeoutResponseError"},
    ("openrouter-node", "chat"): OPENROUTER,
    ("openrouter-node", "responses"): OPENROUTER | {"stream": "error"},
    ("openrouter-node", "embeddings"): OPENROUTER | {422: "OpenRouterDefaultError"},
    # These clients know fewer classes for this route.
    ("openrouter-python", "models"): OPENROUTER | {401: "OpenRouterDefaultError"},
    ("openrouter-node", "models"): OPENROUTER | {401: "OpenRouterDefaultError"},
    ("vercel-node", "chat"): VERCEL,
    ("vercel-node", "responses"): VERCEL,
    ("vercel-node", "messages"): VERCEL,
    ("vercel-node", "embeddings"): VERCEL,
    ("langchain-python", "chat"): LANGCHAIN_OPENAI,
    # It raises the error of the event `response.failed`, which has its text alone.
    ("langchain-python", "responses"): LANGCHAIN_OPENAI | {"stream": "ValueError"},
    ("langchain-python", "messages"): LANGCHAIN_ANTHROPIC,
    ("langchain-python", "embeddings"): OPENAI,
    ("litellm-python", "chat"): LITELLM,
    ("litellm-python", "responses"): LITELLM_RESPONSES,
    ("litellm-python", "messages"): LITELLM_MESSAGES,
    ("litellm-python", "embeddings"): LITELLM,
    ("async-openai-rust", "chat"): ASYNC_OPENAI,
    ("async-openai-rust", "responses"): ASYNC_OPENAI | {"stream": "ResponseError"},
    ("async-openai-rust", "embeddings"): ASYNC_OPENAI,
    ("openrouter-rs-rust", "chat"): OPENROUTER_RS,
    ("openrouter-rs-rust", "responses"): OPENROUTER_RS | {"stream": "error"},
    ("openrouter-rs-rust", "messages"): OPENROUTER_RS | {"stream": "Error"},
    ("openrouter-rs-rust", "embeddings"): OPENROUTER_RS,
}


def of(driver, api):
    """The list of models fails as the first API does, unless it has a row of its own."""
    return CLASSES.get((driver, api)) or CLASSES[driver, DRIVERS[driver][0]]
