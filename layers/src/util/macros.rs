//! What every service here offers beside `call`.

/// Access to the wrapped service.
macro_rules! inner_accessors {
    () => {
        /// The wrapped service.
        pub const fn get_ref(&self) -> &S {
            &self.inner
        }

        /// The wrapped service, to be changed.
        pub const fn get_mut(&mut self) -> &mut S {
            &mut self.inner
        }

        /// Takes the wrapped service out.
        pub fn into_inner(self) -> S {
            self.inner
        }
    };
}

/// Ready when the wrapped service is.
macro_rules! ready_as_inner {
    () => {
        fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
            self.inner.poll_ready(cx)
        }
    };
}

pub(crate) use {inner_accessors, ready_as_inner};
