mod catalogue;
mod chat;
mod lenient;
mod stream;
