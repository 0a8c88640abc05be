//! What an error's words say of the server itself, under a status that blames the request: it is overloaded, or something behind it has failed.
//!
//! A request may be quoted in such words, so that texts about a member of it are ruled out first: they would be sent again and again.

use tower_llm_layers::FailureKind;

use super::words::{Words, near};

/// How far apart the words of one statement stand, in bytes.
const FAR: usize = 40;

impl Words {
    /// The server is overloaded, or has failed, and the request is not at fault: it passes later, or elsewhere.
    pub(super) fn server_trouble(&self) -> Option<FailureKind> {
        if self.name_a_member() || self.are_about_a_parameter() || self.has(OF_A_REQUEST) || self.is_the_router_s() {
            return None;
        }
        if self.has(OVERLOADED_ALONE) || near(self.text(), SERVERS, OVERLOADED, FAR) {
            Some(FailureKind::Overloaded)
        } else if FAILED_ALONE.contains(&self.text().trim()) || near(self.text(), SERVERS, FAILED, FAR) {
            Some(FailureKind::Upstream)
        } else {
            None
        }
    }

    /// A type of the router's own, of a request that it sends to no provider.
    fn is_the_router_s(&self) -> bool {
        self.code_is(|code| matches!(code, "invalid request" | "payload too large" | "unprocessable"))
    }
}

/// What serves, and what stands between its parts.
const SERVERS: &str = concat!(
    " server | servers | service | services | system | model | models | engine | upstream | backend | worker | inference |",
    " connection | cuda | gpu |服务|系统|模型|上游"
);

/// More work than it can do.
const OVERLOADED: &str = concat!(
    "overloaded| at capacity | at full capacity | at maximum capacity | over capacity | out of capacity | high load | heavy load |",
    " high demand | is busy | are busy | too busy | currently busy |繁忙|过载|负载已饱和"
);

/// The same, without a word for what serves.
const OVERLOADED_ALONE: &str = " experiencing high demand | due to high demand | experiencing heavy load ";

/// It does not work now.
const FAILED: &str = concat!(
    " has crashed | crashed without | unloaded | reloaded | out of memory | timed out | has exited | is shutting down |",
    " reset by peer | connection refused | connection was refused "
);

/// Whole texts that say no more.
const FAILED_ALONE: [&str; 4] = [
    "channel error",
    "connection error",
    "connection reset",
    "upstream error",
];

/// What of a request the same words may be about, and how a request is at fault.
const OF_A_REQUEST: &str = concat!(
    " tool | tools | function | functions | message | messages | content | contents | role | roles | prompt | prompts | input | inputs |",
    " image | images | audio | video | file | files | url | urls | document | documents | mcp | json | stop | sequence | key | keys |",
    " value | values | token | tokens | schema | invalid | malformed | missing | expected | parse | parsed | parsing | fetch | fetching |",
    " download | downloading | service tier | not available for | container | containers | connector | connectors | retrieval "
);

#[cfg(test)]
mod tests {
    use openrouter_wire::error::UpstreamError;

    use super::*;

    fn trouble(text: &str) -> Option<FailureKind> {
        Words::of_body(text.as_bytes()).server_trouble()
    }

    #[test]
    fn a_server_in_trouble_is_known_by_its_own_words() {
        for text in [
            "Our servers are currently overloaded. Please try again later.",
            "Selected model is at capacity. Please try a different model.",
            "We're currently experiencing high demand, which may cause temporary errors.",
            "The service is temporarily overloaded.",
            "The engine is too busy right now",
            "当前服务繁忙，请稍后再试",
        ] {
            assert_eq!(trouble(text), Some(FailureKind::Overloaded), "{text}");
        }
        for text in [
            "The model has crashed without additional information. (Exit code: 184)",
            "Channel Error",
            "Connection error.",
            "Model unloaded.",
            "Model reloaded.",
            "CUDA out of memory. Tried to allocate 2.00 GiB",
            "upstream request timed out",
            "connect ECONNREFUSED: connection refused",
            "The connection was refused.",
        ] {
            assert_eq!(trouble(text), Some(FailureKind::Upstream), "{text}");
        }
    }

    #[test]
    fn a_request_that_is_quoted_in_such_words_stays_at_fault() {
        for text in [
            "Invalid schema for function 'overloaded_add': additionalProperties is required to be supplied",
            "Invalid value for 'crash_report': must be a string",
            "Unknown parameter: 'timeout'.",
            "Invalid 'tools[0].parameters': 'capacity' is not of type object",
            "messages[0].content: cannot read 'the server is overloaded'",
            "Could not parse 'our servers are at capacity' as JSON",
            "The stop sequence 'server is busy' is too short",
            "Timed out while downloading the image from the server",
            "The tool server timed out",
            "The model's capacity is 8192 tokens",
            "'NoneType' object has no attribute 'input_ids'",
            "The model is named in upper case",
            "The request was refused by the service's usage policy",
            "Access to this model was refused",
            "The service tier 'high demand' is not available for this model",
            "The container has exited; the model service cannot run code in it",
            "Your retrieval connector: connection refused",
            "",
        ] {
            assert_eq!(trouble(text), None, "{text}");
        }
        let words = |more: &str| {
            let body = format!(r#"{{"error":{{"message":"The server is overloaded"{more}}}}}"#);
            let error = UpstreamError::parse_failed(body.as_bytes()).unwrap();
            Words::of_error(&error).server_trouble()
        };
        assert_eq!(words(""), Some(FailureKind::Overloaded));
        assert_eq!(words(r#","param":"user""#), None);
        assert_eq!(words(r#","metadata":{"error_type":"invalid_request"}"#), None);
    }
}
