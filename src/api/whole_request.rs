//! What the requests of Responses and of Messages have in common.

/// The constructors and traits of such a request: its name, its API, its shape, and the words that its cache key
/// begins with, plain and streamed.
macro_rules! whole_request {
    ($name:ident, $api:expr, $shape:expr, $plain:literal, $streamed:literal) => {
        impl $name {
            pub(super) fn from_document(document: ::openrouter_wire::document::Document) -> Self {
                Self {
                    body: $crate::request::RequestBody::new(document, $shape),
                }
            }

            /// As the body of an HTTP request, which is what a stack takes.
            #[must_use]
            pub fn into_http(self) -> http::Request<$crate::ApiRequest> {
                $crate::api::request::post($api, self.into())
            }

            /// The same as a stream; `None` if it is one.
            fn streamed(&self) -> Option<Self> {
                (!self.is_streaming()).then(|| self.clone().stream(true))
            }
        }

        impl tower_llm_layers::CacheKey for $name {
            fn write_key(&self, key: &mut tower_llm_layers::KeyWriter<'_>) {
                key.part(if self.is_streaming() { $streamed } else { $plain });
                $crate::request::write_document(self.document(), key);
            }

            fn requested_temperature(&self) -> Option<f64> {
                self.body.temperature()
            }

            fn is_cacheable(&self) -> bool {
                !$crate::request::forbids_retention(self.document())
            }

            fn ignores_header(&self, name: &http::HeaderName) -> bool {
                $crate::request::is_irrelevant_header(name)
            }
        }
    };
}

pub(super) use whole_request;
