"""The drivers, the APIs that each calls, and what its client raises.

A key is the status that the mounted stack answers with, "stream" for an error in mid-stream, or the name of a case that is an exception.
A value is the class, or the class and the status that the client shows in place of the real one.
"""

DRIVERS = {
    "openai-python": ("chat", "embeddings"),
    "openai-node": ("chat", "embeddings"),
    "openrouter-python": ("chat", "embeddings"),
    "openrouter-node": ("chat", "embeddings"),
    "vercel-node": ("chat", "embeddings"),
    "langchain-python": ("chat", "embeddings"),
    "litellm-python": ("chat",),
}

OPENAI = {
    400: "BadRequestError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    413: "APIStatusError",
    422: "UnprocessableEntityError",
    429: "RateLimitError",
    502: "InternalServerError",
    503: "InternalServerError",
    "stream": "APIError",
}

OPENROUTER = {
    400: "BadRequestResponseError",
    403: "ForbiddenResponseError",
    404: "NotFoundResponseError",
    413: "PayloadTooLargeResponseError",
    422: "UnprocessableEntityResponseError",
    429: "TooManyRequestsResponseError",
    502: "BadGatewayResponseError",
    503: "ServiceUnavailableResponseError",
    # Its readers give the error to the caller as a part of the last chunk.
    "stream": "chunk.error",
}

VERCEL = dict.fromkeys((400, 403, 404, 413, 422, 429, 502, 503), "APICallError")

LANGCHAIN_OPENAI = OPENAI | {
    400: "OpenAIInvalidRequestError",
    403: "OpenAIPermissionDeniedError",
    404: "OpenAIModelNotFoundError",
    429: "OpenAIRateLimitError",
    502: "OpenAIAPIError",
    503: "OpenAIAPIError",
    # OpenRouter repeats the finish reason with the usage, and this client joins what it gets.
    "finish": False,
}

LITELLM = {
    400: "BadRequestError",
    403: "APIError",
    404: "NotFoundError",
    413: "APIError",
    422: "BadRequestError",
    429: "RateLimitError",
    502: "BadGatewayError",
    503: "ServiceUnavailableError",
    "stream": ("MidStreamFallbackError", 500),
    # It goes by phrases in the message, which quotes the upstream's page.
    "error-520": ("InternalServerError", 500),
}

CLASSES = {
    ("openai-python", "chat"): OPENAI,
    ("openai-python", "embeddings"): OPENAI,
    ("openai-node", "chat"): OPENAI | {413: "APIError"},
    ("openai-node", "embeddings"): OPENAI,
    ("openrouter-python", "chat"): OPENROUTER,
    ("openrouter-python", "embeddings"): OPENROUTER,
    ("openrouter-node", "chat"): OPENROUTER,
    ("openrouter-node", "embeddings"): OPENROUTER,
    ("vercel-node", "chat"): VERCEL | {"stream": "StreamProviderError", "tool_calls": "tool-calls"},
    ("vercel-node", "embeddings"): VERCEL,
    ("langchain-python", "chat"): LANGCHAIN_OPENAI,
    ("langchain-python", "embeddings"): OPENAI,
    ("litellm-python", "chat"): LITELLM,
}


def of(driver, api):
    return CLASSES[driver, api]
