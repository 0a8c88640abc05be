//! How the app shows in OpenRouter's rankings and logs.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::TransportProblem;

const TITLE: HeaderName = HeaderName::from_static("x-openrouter-title");
const CATEGORIES: HeaderName = HeaderName::from_static("x-openrouter-categories");
// Not the standard `Referer`: OpenRouter wants this literal name.
const REFERER: HeaderName = HeaderName::from_static("http-referer");

/// How the app shows in OpenRouter's rankings and logs. Sent to OpenRouter only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attribution {
    url: Option<String>,
    title: Option<String>,
    categories: Option<String>,
}

impl Attribution {
    /// An app with this title.
    #[must_use]
    pub fn titled(title: impl Into<String>) -> Self {
        Self {
            title: Some(title.into()),
            ..Self::default()
        }
    }

    /// The app's URL, which identifies it.
    #[must_use]
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// Up to two of OpenRouter's known categories, with a comma between.
    #[must_use]
    pub fn categories(mut self, categories: impl Into<String>) -> Self {
        self.categories = Some(categories.into());
        self
    }

    /// The headers; a field that no header can carry is a problem instead.
    pub(super) fn headers(&self, wrong: &mut Vec<TransportProblem>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let fields = [
            (REFERER, &self.url, "url"),
            (TITLE, &self.title, "title"),
            (CATEGORIES, &self.categories, "categories"),
        ];
        for (name, value, field) in fields {
            let Some(value) = value else { continue };
            match HeaderValue::from_str(value) {
                Ok(value) => {
                    headers.insert(name, value);
                }
                Err(_) => wrong.push(TransportProblem::Attribution { field }),
            }
        }
        headers
    }
}
