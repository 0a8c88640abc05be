//! The page: server-rendered, live by server-sent events.
