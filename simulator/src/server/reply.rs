//! Responses, and the body that plays them.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::Value;

use super::Line;
use crate::stage::{Player, Track};
use crate::ticket::Ticket;
use crate::wire::error::Refused;

/// Where a reply goes: the line, and the record that it closes.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) line: Line,
    pub(super) ticket: Option<Ticket>,
}

impl Reply {
    /// Plays a track under this status and type.
    pub(super) fn play(self, status: u16, content_type: &'static str, track: Track) -> Response<Player> {
        if let Some(ticket) = &self.ticket {
            ticket.note(|attempt| attempt.status = Some(status));
        }
        let length = track.length;
        let mut response = Response::new(Player::new(track, self.ticket, self.line));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert("cf-ray", HeaderValue::from_static("9a1b2c3d4e5f6789-SIM"));
        if let Some(length) = length {
            headers.insert(header::CONTENT_LENGTH, length.into());
        }
        response
    }

    /// A whole JSON document.
    pub(super) fn json(self, status: u16, document: &Value) -> Response<Player> {
        self.play(status, "application/json", whole(document.to_string().into()))
    }

    /// An HTML page.
    pub(super) fn html(self, status: u16, page: String) -> Response<Player> {
        self.play(status, "text/html; charset=UTF-8", whole(page.into()))
    }

    /// An error answer with its headers.
    pub(super) fn refuse(self, refused: Refused) -> Response<Player> {
        let Refused {
            status,
            headers,
            json,
            html,
        } = refused;
        let mut response = match html {
            Some(page) => self.html(status, page),
            None => self.json(status, &json),
        };
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

fn whole(bytes: Bytes) -> Track {
    let length = bytes.len() as u64;
    Track::whole(bytes).sized(length)
}
