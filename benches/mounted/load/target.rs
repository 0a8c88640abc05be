//! Where calls go, and what they carry.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::Fallible;
use crate::client::Kind;

/// The model that calls name, unless `--model` names another one.
const MODEL: &str = "openai/gpt-5";

/// A server, and what each call to it carries in addition to its kind.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) address: String,
    pub(crate) headers: HeaderMap,
    model: String,
}

/// What the options say; they stand anywhere among the arguments.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// `--mean`: the line ends with the mean of the whole answers.
    pub(crate) mean: bool,
    headers: HeaderMap,
    model: Option<String>,
}

impl Options {
    /// Takes the options out of the arguments.
    pub(crate) fn split(arguments: impl Iterator<Item = String>) -> Fallible<(Self, Vec<String>)> {
        let (mut options, mut rest) = (Self::default(), Vec::new());
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--mean" => options.mean = true,
                "--model" => options.model = Some(arguments.next().ok_or("`--model` needs a name")?),
                "--header" => {
                    let header = arguments.next().ok_or("`--header` needs `name: value`")?;
                    let (name, value) = header.split_once(':').ok_or("a header is `name: value`")?;
                    let name = HeaderName::try_from(name.trim())?;
                    options.headers.insert(name, HeaderValue::try_from(value.trim())?);
                }
                _ => rest.push(argument),
            }
        }
        Ok((options, rest))
    }
}

impl Target {
    /// The server of this URL, called as the options say.
    pub(crate) fn new(url: &str, options: &Options) -> Fallible<Self> {
        let address = url
            .strip_prefix("http://")
            .ok_or("the address must begin with http://")?;
        Ok(Self {
            address: address.to_owned(),
            headers: options.headers.clone(),
            model: options.model.clone().unwrap_or_else(|| MODEL.to_owned()),
        })
    }

    /// The body of a call.
    pub(crate) fn body(&self, kind: Kind) -> Bytes {
        let stream = match kind {
            Kind::Plain => "",
            Kind::Stream => r#""stream":true,"#,
        };
        let model = &self.model;
        Bytes::from(format!(
            r#"{{"model":"{model}",{stream}"messages":[{{"role":"user","content":"Why is the sky blue?"}}]}}"#
        ))
    }
}
