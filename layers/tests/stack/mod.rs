//! All layers together.
