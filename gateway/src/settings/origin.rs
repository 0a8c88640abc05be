//! Origins of pages that may call the gateway.

use http::{HeaderValue, Uri};

/// An origin as a browser sends it: a scheme, a host, and a port unless it is the scheme's own.
///
/// # Errors
///
/// What is wrong with it.
pub(crate) fn origin(text: &str) -> Result<HeaderValue, String> {
    let wrong = || {
        "not an origin: write a scheme, a host, and a port if it is not the usual one, in lower case, e.g. \"https://chat.example.org\" or \
         \"http://localhost:3000\""
            .to_owned()
    };
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    let (scheme, host) = (uri.scheme_str().unwrap_or_default(), uri.host().unwrap_or_default());
    let usual = match scheme {
        "https" => 443,
        "http" => 80,
        _ => return Err(wrong()),
    };
    let port = match uri.port() {
        // A browser leaves it out, so this origin would never match.
        Some(port) if port == usual => return Err(wrong()),
        Some(port) => format!(":{}", port.as_u16()),
        None => String::new(),
    };
    // A path, a user, upper case or a star would never match either.
    let written = format!("{scheme}://{}{port}", host.to_ascii_lowercase());
    if host.is_empty() || host.contains('*') || written != text {
        return Err(wrong());
    }
    HeaderValue::try_from(text).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_a_browser_sends() {
        for text in [
            "https://chat.example.org",
            "http://localhost:3000",
            "https://[::1]:8443",
            "http://127.0.0.1:5173",
        ] {
            assert_eq!(origin(text).unwrap(), text);
        }
        for text in [
            "",
            "*",
            "null",
            "chat.example.org",
            "https://chat.example.org/",
            "https://chat.example.org/app",
            "https://Chat.example.org",
            "https://chat.example.org:443",
            "http://chat.example.org:80",
            "https://user@chat.example.org",
            "ftp://chat.example.org",
            "https://",
            "https://*.example.org",
        ] {
            assert!(origin(text).is_err(), "{text}");
        }
    }
}
