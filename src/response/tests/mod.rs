mod catalogue;
mod chat;
mod stream;
