//! What the requests of all APIs can do alike: read and write their document, and answer the layers.

/// The common methods and traits of a request that is a [`RequestBody`](super::body::RequestBody) in its field `body`.
///
/// The type has, of its own, `from_json`, `from_document`, and `streamed`: the same request as a stream. `instruct` names a
/// method that asks for the rest of an interrupted message.
macro_rules! typed_request {
    ($name:ident $(, instruct: $instruct:ident)?) => {
        impl $name {
            /// The requested model; `None` if the request names none.
            #[must_use]
            pub fn read_model(&self) -> Option<&str> {
                self.body.model()
            }

            /// The requested model, to be kept.
            #[must_use]
            pub fn read_model_shared(&self) -> Option<std::sync::Arc<str>> {
                self.body.model_shared()
            }

            /// Whether the answer is to come as a stream.
            #[must_use]
            pub fn is_streaming(&self) -> bool {
                self.body.is_streaming()
            }

            /// How many tokens the answer may have, whichever field says so: the largest limit, if there are several.
            #[must_use]
            pub fn read_max_tokens(&self) -> Option<u64> {
                self.body.max_tokens()
            }

            /// What a model must be able to do to serve this. Read once, at the first call, in one pass over the content.
            #[must_use]
            pub fn facts(&self) -> &::openrouter_wire::request::RequestFacts {
                self.body.facts()
            }

            /// The object this is. Its segments are the body as it goes out, without a copy.
            #[must_use]
            pub fn document(&self) -> &::openrouter_wire::document::Document {
                self.body.document()
            }

            /// A field by its name, as JSON text.
            #[must_use]
            pub fn read_raw(&self, field: &str) -> Option<&[u8]> {
                self.body.document().get(field)
            }

            /// The body as it goes out, in one piece.
            #[must_use]
            pub fn to_bytes(&self) -> bytes::Bytes {
                self.body.to_bytes()
            }

            /// The length of the body in bytes.
            #[must_use]
            #[expect(clippy::len_without_is_empty, reason = "a body is never shorter than its two braces")]
            pub fn len(&self) -> usize {
                self.body.len()
            }

            /// Requests this model, by its slug.
            #[must_use]
            pub fn model(mut self, model: impl AsRef<str>) -> Self {
                self.set_model(model.as_ref());
                self
            }

            /// Models that OpenRouter tries by itself when the first fails: at most three.
            #[must_use]
            pub fn models<S: AsRef<str>>(mut self, models: impl IntoIterator<Item = S>) -> Self {
                self.set_models(models);
                self
            }

            /// Asks for a stream, or for the whole answer at once.
            #[must_use]
            pub fn stream(mut self, stream: bool) -> Self {
                self.set_stream(stream);
                self
            }

            /// Names another model.
            pub fn set_model(&mut self, model: &str) {
                self.body.put_model(model.into());
            }

            /// Names another model, whose name is shared already.
            pub fn set_model_shared(&mut self, model: std::sync::Arc<str>) {
                self.body.put_model(model);
            }

            /// Gives other fallback models, which OpenRouter tries by itself: at most three. None at all takes the field away.
            pub fn set_models<S: AsRef<str>>(&mut self, models: impl IntoIterator<Item = S>) {
                self.body.put_models(models);
            }

            /// Asks for a stream, or for the whole answer at once.
            pub fn set_stream(&mut self, stream: bool) {
                self.body.put_stream(stream);
            }

            /// Limits the answer to so many tokens: in each field of a limit that is there, and in the usual one if none is.
            pub fn set_max_tokens(&mut self, tokens: u64) {
                self.body.put_max_tokens(tokens);
            }

            /// Takes a field away. Answers whether it was there.
            pub fn remove(&mut self, field: &str) -> bool {
                self.body.take(field)
            }

            /// Any other field, known to this version or not.
            #[must_use]
            pub fn extra(mut self, field: impl Into<String>, value: impl Into<serde_json::Value>) -> Self {
                let value: serde_json::Value = value.into();
                self.body.put_named(&field.into(), $crate::request::encode(&value));
                self
            }

            /// Any other field, as whatever can be serialised.
            ///
            /// # Errors
            ///
            /// If the value has no JSON form, such as a map whose keys are lists.
            pub fn try_extra<T: serde::Serialize + ?Sized>(
                mut self,
                field: impl Into<String>,
                value: &T,
            ) -> Result<Self, ::openrouter_wire::request::RequestError> {
                let field = field.into();
                match serde_json::to_vec(value) {
                    Ok(json) => self.body.put_named(&field, bytes::Bytes::from(json)),
                    Err(_) => return Err(::openrouter_wire::request::RequestError::Encode { field }),
                }
                Ok(self)
            }

            /// Sets its accounting tags, in the ledger and in the budgets that apply to them. They are not sent.
            ///
            /// ```
            #[doc = concat!("use tower_openrouter::{", stringify!($name), ", Tags};")]
            ///
            #[doc = concat!("fn recorded(request: ", stringify!($name), ") -> Result<", stringify!($name), ", tower_openrouter::layers::TagError> {")]
            ///     Ok(request.tags(Tags::new([("team", "search")])?))
            /// }
            /// ```
            #[must_use]
            pub fn tags(mut self, tags: tower_llm_layers::Tags) -> Self {
                self.body.call.set_tags(tags);
                self
            }

            /// Gives this call timeouts of its own: they go before the candidate's and the stack's.
            #[must_use]
            pub fn timeouts(mut self, timeouts: tower_llm_layers::TimeoutOverrides) -> Self {
                self.body.call.set_timeouts(timeouts);
                self
            }

            /// Says whether a person waits for the answer, so that it goes before batches.
            #[must_use]
            pub fn priority(mut self, priority: tower_llm_layers::Priority) -> Self {
                self.body.call.set_priority(priority);
                self
            }

            /// Says how this call uses the cache.
            #[must_use]
            pub fn cache_mode(mut self, mode: tower_llm_layers::CacheMode) -> Self {
                self.body.call.set_cache_mode(mode);
                self
            }
        }

        impl std::str::FromStr for $name {
            type Err = ::openrouter_wire::request::RequestError;

            fn from_str(body: &str) -> Result<Self, Self::Err> {
                Self::from_json(bytes::Bytes::copy_from_slice(body.as_bytes()))
            }
        }

        impl TryFrom<&str> for $name {
            type Error = ::openrouter_wire::request::RequestError;

            fn try_from(body: &str) -> Result<Self, Self::Error> {
                body.parse()
            }
        }

        impl TryFrom<bytes::Bytes> for $name {
            type Error = ::openrouter_wire::request::RequestError;

            fn try_from(body: bytes::Bytes) -> Result<Self, Self::Error> {
                Self::from_json(body)
            }
        }

        impl PartialEq for $name {
            /// Whether both go out as the same bytes.
            fn eq(&self, other: &Self) -> bool {
                self.body == other.body
            }
        }

        impl std::fmt::Debug for $name {
            /// The model and the size of the request; never its content.
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.body.debug(stringify!($name), f)
            }
        }

        impl serde::Serialize for $name {
            /// Writes the request with `serde_json`, as the text it is.
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::Error as _;

                let text = String::from_utf8(self.to_bytes().into()).map_err(S::Error::custom)?;
                serde_json::value::RawValue::from_string(text)
                    .map_err(S::Error::custom)?
                    .serialize(serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            /// Reads a request with `serde_json`, keeping its text as it is.
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                use serde::de::Error as _;

                let raw = Box::<serde_json::value::RawValue>::deserialize(deserializer)?;
                Self::from_json(Box::<str>::from(raw).into_boxed_bytes()).map_err(D::Error::custom)
            }
        }

        impl tower_llm_layers::LlmRequest for $name {
            fn call(&self) -> &tower_llm_layers::Call {
                &self.body.call
            }

            fn call_mut(&mut self) -> &mut tower_llm_layers::Call {
                &mut self.body.call
            }

            fn is_streaming(&self) -> bool {
                self.body.is_streaming()
            }

            fn pool_of(upstream: &str, model: &str) -> Option<String> {
                $crate::free::pool_of(upstream, model)
            }

            fn operation(&self) -> &'static str {
                self.body.gives().operation()
            }

            fn conversation(&self) -> Option<std::borrow::Cow<'_, str>> {
                self.body.conversation()
            }

            fn as_stream(&self) -> Option<Self> {
                self.streamed()
            }

            fn model(&self) -> Option<&str> {
                self.body.model()
            }

            fn set_model(&mut self, model: &str) {
                self.body.put_model(model.into());
            }

            fn is_bound_to_model(&self) -> bool {
                self.body.gives() != $crate::request::Gives::Text
            }

            fn set_alternatives(&mut self, models: &[&str]) -> bool {
                // An upstream takes one of both.
                let may = !self.body.document().has("fallbacks");
                if may {
                    self.body.put_models(models);
                }
                may
            }

            fn set_parameter(&mut self, name: &str, json: Option<&str>) -> bool {
                self.body.put_parameter(name, json)
            }

            fn reasoning_level(&self) -> Option<std::borrow::Cow<'_, str>> {
                self.body.reasoning_level()
            }

            fn reasoning_time(&self) -> Option<std::time::Duration> {
                self.body.reasoning_time()
            }

            fn alternatives(&self) -> Vec<String> {
                self.body.models()
            }

            fn max_tokens(&self) -> Option<u64> {
                self.body.max_tokens()
            }

            fn unbounded_tool(&self) -> Option<String> {
                self.body.unbounded_tool()
            }

            fn pinned_route(&self) -> tower_llm_layers::Route {
                $crate::request::pinned_by(self.body.document())
            }

            $(fn add_continue_instruction(&mut self, last: &str) -> bool {
                self.$instruct(last)
            })?

            fn budgeted(&mut self) -> Option<&mut dyn tower_llm_layers::Budgeted> {
                Some(self)
            }

            fn needs(&self) -> tower_llm_layers::Needs {
                self.body.needs()
            }
        }

        impl tower_llm_layers::Budgeted for $name {
            fn set_max_tokens(&mut self, tokens: u64) -> bool {
                self.body.shorten(tokens)
            }

            fn set_max_tool_cost(&mut self, most: tower_llm_layers::UsdAmount) -> bool {
                let runs_tools = self.body.gives() == $crate::request::Gives::Text;
                if runs_tools {
                    self.body.stop_tools_after(most);
                }
                runs_tools
            }
        }
    };
}

pub(crate) use typed_request;
