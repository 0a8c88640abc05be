//! What holds for every layer.
