mod chat;
mod lenient;
mod stream;
