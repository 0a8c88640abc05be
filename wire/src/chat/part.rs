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
            image_url: ImageUrl::new(url),
            extra: Map::new(),
        }
    }

    /// Sound, in base64, and its format, such as `wav` or `mp3`.
    #[must_use]
    pub fn audio(data: impl Into<String>, format: impl Into<String>) -> Self {
        Self::InputAudio {
            input_audio: InputAudio::new(data, format),
            extra: Map::new(),
        }
    }

    /// A moving picture, by its address or as a `data:` URL.
    #[must_use]
    pub fn video_url(url: impl Into<String>) -> Self {
        Self::VideoUrl {
            video_url: VideoUrl::new(url),
            extra: Map::new(),
        }
    }

    /// A file, by its name and its address or `data:` URL.
    #[must_use]
    pub fn file(filename: impl Into<String>, data: impl Into<String>) -> Self {
        Self::File {
            file: FilePart::new(filename, data),
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
#[non_exhaustive]
pub struct ImageUrl {
    /// An `https:` or `data:` URL.
    pub url: String,
    /// How closely to look: `auto`, `low`, `high`, `original`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl ImageUrl {
    /// A picture, by its address or as a `data:` URL.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            detail: None,
        }
    }

    /// How closely to look: `auto`, `low`, `high`, `original`.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

/// Sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InputAudio {
    /// In base64.
    pub data: String,
    /// Such as `wav` or `mp3`.
    pub format: String,
}

impl InputAudio {
    /// Sound, in base64, and its format.
    #[must_use]
    pub fn new(data: impl Into<String>, format: impl Into<String>) -> Self {
        Self {
            data: data.into(),
            format: format.into(),
        }
    }
}

/// The address of a moving picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct VideoUrl {
    /// An `https:` or `data:` URL.
    pub url: String,
}

impl VideoUrl {
    /// A moving picture, by its address or as a `data:` URL.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into() }
    }
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
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

impl FilePart {
    /// A file, by its name and its address or `data:` URL.
    #[must_use]
    pub fn new(filename: impl Into<String>, data: impl Into<String>) -> Self {
        Self {
            filename: Some(filename.into()),
            file_data: Some(data.into()),
            file_id: None,
        }
    }

    /// A file that was put there before, by its id.
    #[must_use]
    pub fn by_id(id: impl Into<String>) -> Self {
        Self {
            file_id: Some(id.into()),
            ..Self::default()
        }
    }
}
