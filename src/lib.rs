//! OpenRouter over Tower.
