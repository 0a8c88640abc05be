//! The calls of late, for the page and the JSON routes.
