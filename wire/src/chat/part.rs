//! The parts of a message.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::chat::CacheControl;

/// One part of a message. A part of an unknown kind, or a known one of an unknown shape, is kept as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Part {
    /// Text.
    Text {
        /// The text.
        text: String,
        /// Marks the end of what the provider may cache.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl>,
        /// Everything else.
        #[serde(flatten)]
        extra: Map<String, Value>,
    },
    /// A picture.
    ImageUrl {
        /// Its address.
        image_url: ImageUrl,
        /// Everything else.
        #[serde(flatten)]
        extra: Map<String, Value>,
    },
    /// Sound.
    InputAudio {
        /// The sound itself.
        input_audio: InputAudio,
        /// Everything else.
        #[serde(flatten)]
        extra: Map<String, Value>,
    },
    /// A moving picture.
    VideoUrl {
        /// Its address.
        video_url: VideoUrl,
        /// Everything else.
        #[serde(flatten)]
        extra: Map<String, Value>,
    },
    /// A file.
    File {
        /// The file itself, or its address.
        file: FilePart,
        /// Everything else.
        #[serde(flatten)]
        extra: Map<String, Value>,
    },
    /// A part this version does not know.
    #[serde(untagged)]
    Other(Map<String, Value>),
}

impl Part {
    /// Text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text {
            text: text.into(),
            cache_control: None,
            extra: Map::new(),
        }
    }

    /// Text up to which the provider may cache the prompt.
    #[must_use]
    pub fn cached_text(text: impl Into<String>, cache_control: CacheControl) -> Self {
        Self::Text {
            text: text.into(),
            cache_control: Some(cache_control),
            extra: Map::new(),
        }
    }

    /// A picture, by its address or as a `data:` URL.
    #[must_use]
    pub fn image_url(url: impl Into<String>) -> Self {
        Self::ImageUrl {
            image_url: ImageUrl {
                url: url.into(),
                detail: None,
            },
            extra: Map::new(),
        }
    }

    /// Sound, in base64, and its format, such as `wav` or `mp3`.
    #[must_use]
    pub fn audio(data: impl Into<String>, format: impl Into<String>) -> Self {
        Self::InputAudio {
            input_audio: InputAudio {
                data: data.into(),
                format: format.into(),
            },
            extra: Map::new(),
        }
    }

    /// A moving picture, by its address or as a `data:` URL.
    #[must_use]
    pub fn video_url(url: impl Into<String>) -> Self {
        Self::VideoUrl {
            video_url: VideoUrl { url: url.into() },
            extra: Map::new(),
        }
    }

    /// A file, by its name and its address or `data:` URL.
    #[must_use]
    pub fn file(filename: impl Into<String>, data: impl Into<String>) -> Self {
        let file = FilePart {
            filename: Some(filename.into()),
            file_data: Some(data.into()),
            file_id: None,
        };
        Self::File {
            file,
            extra: Map::new(),
        }
    }

    /// The text, if it is some.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text { text, .. } => Some(text),
            _ => None,
        }
    }
}

/// The address of a picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageUrl {
    /// An `https:` or `data:` URL.
    pub url: String,
    /// How closely to look: `auto`, `low`, `high`, `original`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputAudio {
    /// In base64.
    pub data: String,
    /// Such as `wav` or `mp3`.
    pub format: String,
}

/// The address of a moving picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoUrl {
    /// An `https:` or `data:` URL.
    pub url: String,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FilePart {
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    /// An `https:` or `data:` URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_data: Option<String>,
    /// The id of a file that was put there before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_id: Option<String>,
}
