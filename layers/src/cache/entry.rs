//! What is kept of an answer, and how many bytes that takes.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Response, StatusCode, Version, header::SET_COOKIE, response::Parts};
use http_body::Frame as BodyFrame;
use tokio::time::Instant;

use crate::{Degraded, DegradedSource, Frame, NoStore, Replayed, Resumed, Stage};

/// The head of a response as other callers may see it: without cookies, and without the extensions, which describe one exchange. Only
/// the marks of a degraded or resumed response stay.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
    pub(super) degraded: Option<Degraded>,
    resumed: Option<Resumed>,
    /// Another call with the same idempotency key pays for it.
    replayed: Option<Replayed>,
    is_good: bool,
    no_store: bool,
}

impl Head {
    pub(super) fn of(parts: &Parts) -> Self {
        let mut headers = parts.headers.clone();
        headers.remove(SET_COOKIE);
        Self {
            status: parts.status,
            version: parts.version,
            headers,
            degraded: parts.extensions.get().cloned(),
            resumed: parts.extensions.get().cloned(),
            replayed: parts.extensions.get().copied(),
            is_good: parts.status.is_success(),
            no_store: parts.extensions.get::<NoStore>().is_some(),
        }
    }

    /// As it was read from a store: only what may be kept was written there.
    pub(super) fn read(status: StatusCode, version: Version, headers: HeaderMap) -> Self {
        Self {
            status,
            version,
            headers,
            degraded: None,
            resumed: None,
            replayed: None,
            is_good: status.is_success(),
            no_store: false,
        }
    }

    /// Whether it is as it is for the leader's own reasons, its budget say.
    pub(super) fn is_personal(&self) -> bool {
        let is_others_too = |mark: &Degraded| mark.source != DegradedSource::ShortenedAnswer;
        self.no_store && !self.degraded.as_ref().is_some_and(is_others_too)
    }

    /// To be called at its end: only then is it known whether it was resumed.
    pub(super) fn is_cacheable(&self) -> bool {
        let resumed = self.resumed.as_ref().map(Resumed::places).unwrap_or_default();
        self.is_good && !self.no_store && resumed.is_empty()
    }

    pub(super) fn response<B>(&self, body: B) -> Response<B> {
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.version_mut() = self.version;
        response.headers_mut().clone_from(&self.headers);
        if let Some(mark) = &self.degraded {
            response.extensions_mut().insert(mark.clone());
        }
        if let Some(mark) = &self.resumed {
            response.extensions_mut().insert(mark.clone());
        }
        if let Some(mark) = self.replayed {
            response.extensions_mut().insert(mark);
        }
        response
    }

    fn size_in_bytes(&self) -> usize {
        size_of::<Self>() + size_of_headers(&self.headers)
    }
}

fn size_of_headers(headers: &HeaderMap) -> usize {
    let sizes = headers.iter().map(|(name, value)| name.as_str().len() + value.len());
    sizes.map(|text| text + HEADER_OVERHEAD).sum()
}

/// Bytes that a header takes in addition to its text: its slot in the map, roughly.
const HEADER_OVERHEAD: usize = 128;

/// Bytes that a response takes in addition to its head and frames: its key, and the table's bookkeeping, roughly.
const ENTRY_OVERHEAD: usize = 256;

/// One piece of a body.
#[derive(Debug, Clone)]
pub(super) enum Piece<D> {
    Data(D),
    Trailers(HeaderMap),
}

impl<D: Frame + Clone> Piece<D> {
    pub(super) fn of(frame: BodyFrame<D>) -> Option<Self> {
        frame.into_data().map_or_else(
            |other| other.into_trailers().ok().map(Self::Trailers),
            |data| Some(Self::Data(data)),
        )
    }

    pub(super) fn size_in_bytes(&self) -> usize {
        match self {
            Self::Data(data) => data.size_in_bytes(),
            Self::Trailers(trailers) => size_of::<Self>() + size_of_headers(trailers),
        }
    }
}

impl<D: Frame> Piece<D> {
    /// Whether it is no part of the answer.
    pub(super) fn is_sign_of_life(&self) -> bool {
        matches!(self, Self::Data(data) if data.stage() == Stage::KeepAlive)
    }
}

impl<D> Piece<D> {
    const fn data(&self) -> Option<&D> {
        match self {
            Self::Data(data) => Some(data),
            Self::Trailers(_) => None,
        }
    }

    pub(super) fn into_frame(self) -> BodyFrame<D> {
        match self {
            Self::Data(data) => BodyFrame::data(data),
            Self::Trailers(trailers) => BodyFrame::trailers(trailers),
        }
    }
}

/// A whole response, as it is cached.
#[derive(Debug)]
pub(super) struct Entry<D> {
    pub(super) head: Arc<Head>,
    pub(super) frames: Box<[D]>,
    /// They end a body.
    pub(super) trailers: Option<HeaderMap>,
    pub(super) bytes: usize,
    /// When it was requested.
    pub(super) asked: Instant,
    /// In which era of the cache.
    pub(super) era: u64,
    pub(super) came: Instant,
    pub(super) keep_for: Duration,
}

impl<D: Frame + Clone> Entry<D> {
    /// `None` if a frame follows the trailers, which no body may send.
    pub(super) fn new(head: Arc<Head>, pieces: &[Piece<D>], (asked, era): (Instant, u64)) -> Option<Self> {
        let entry = Self::of(head, pieces, Frame::replayed)?;
        Some(Self { asked, era, ..entry })
    }

    /// Byte for byte as it came, to be given again under an idempotency key. `None` if a frame follows the trailers.
    pub(super) fn as_it_came(head: Head, pieces: &[Piece<D>], (asked, keep_for): (Instant, Duration)) -> Option<Self> {
        let entry = Self::of(Arc::new(head), pieces, Frame::kept)?;
        Some(Self {
            asked,
            keep_for,
            ..entry
        })
    }

    fn of(head: Arc<Head>, pieces: &[Piece<D>], form: fn(&D) -> D) -> Option<Self> {
        let (frames, trailers) = match pieces {
            [frames @ .., Piece::Trailers(trailers)] => (frames, Some(trailers.clone())),
            frames => (frames, None),
        };
        let frames = frames.iter().map(|piece| piece.data().map(form));
        let frames = frames.collect::<Option<_>>()?;
        Some(Self::read(head, frames, trailers, (Instant::now(), Duration::ZERO)))
    }
}

impl<D: Clone> Entry<D> {
    /// The piece in this place.
    pub(super) fn piece(&self, place: usize) -> Option<Piece<D>> {
        if let Some(frame) = self.frames.get(place) {
            return Some(Piece::Data(frame.clone()));
        }
        let trailers = self.trailers.clone().filter(|_| place == self.frames.len())?;
        Some(Piece::Trailers(trailers))
    }
}

impl<D: Frame> Entry<D> {
    /// As it was read from a store.
    pub(super) fn read(
        head: Arc<Head>,
        frames: Box<[D]>,
        trailers: Option<HeaderMap>,
        (came, keep_for): (Instant, Duration),
    ) -> Self {
        Self {
            bytes: size_of_all(&head, &frames, trailers.as_ref()),
            head,
            frames,
            trailers,
            asked: came,
            era: 0,
            came,
            keep_for,
        }
    }
}

fn size_of_all<D: Frame>(head: &Head, frames: &[D], trailers: Option<&HeaderMap>) -> usize {
    let head_size = head.size_in_bytes() + trailers.map_or(0, size_of_headers) + ENTRY_OVERHEAD;
    let sizes = frames.iter().map(Frame::size_in_bytes);
    sizes.fold(head_size, usize::saturating_add)
}

impl<D> Entry<D> {
    /// Whether it is older than its time to live.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        now.duration_since(self.came) >= self.keep_for
    }
}
