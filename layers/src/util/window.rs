//! The last attempts on a candidate or a provider, and how many of them were bad.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// What became of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) failed: bool,
    pub(crate) slow: bool,
}

impl Mark {
    pub(crate) const FAILED: Self = Self {
        failed: true,
        slow: false,
    };
}

/// The last attempts, each with a note: at most so many, and none older than so long.
#[derive(Debug)]
pub(crate) struct Window<T = ()> {
    marks: VecDeque<(Instant, Mark, T)>,
    /// The number of the oldest mark in it: marks are numbered as they come.
    first: u64,
    failed: u32,
    slow: u32,
}

impl<T> Window<T> {
    pub(crate) const fn new() -> Self {
        Self {
            marks: VecDeque::new(),
            first: 0,
            failed: 0,
            slow: 0,
        }
    }

    /// Takes one in, and gives its number.
    pub(crate) fn push(&mut self, (mark, note): (Mark, T), now: Instant, most: usize, longest: Duration) -> u64 {
        while self.marks.len() >= most.max(1) || self.is_stale(now, longest) {
            self.pop();
        }
        self.marks.push_back((now, mark, note));
        self.failed += u32::from(mark.failed);
        self.slow += u32::from(mark.slow);
        self.first + self.marks.len() as u64 - 1
    }

    /// Forgets those that are too old.
    pub(crate) fn forget_stale(&mut self, now: Instant, longest: Duration) {
        while self.is_stale(now, longest) {
            self.pop();
        }
    }

    /// An answer that had begun well was interrupted: its mark becomes a failure; `false` if it has left the window.
    pub(crate) fn fail(&mut self, number: u64) -> bool {
        let index = number
            .checked_sub(self.first)
            .and_then(|index| usize::try_from(index).ok());
        let Some((_, mark, _)) = index.and_then(|index| self.marks.get_mut(index)) else {
            return false;
        };
        self.failed += u32::from(!mark.failed);
        self.slow -= u32::from(mark.slow);
        *mark = Mark::FAILED;
        true
    }

    /// Forgets all; numbers continue, so that none is given twice.
    pub(crate) fn clear(&mut self) {
        self.first += self.marks.len() as u64;
        self.marks.clear();
        (self.failed, self.slow) = (0, 0);
    }

    pub(crate) fn calls(&self) -> u32 {
        u32::try_from(self.marks.len()).unwrap_or(u32::MAX)
    }

    pub(crate) const fn failed(&self) -> u32 {
        self.failed
    }

    pub(crate) const fn slow(&self) -> u32 {
        self.slow
    }

    pub(crate) fn notes(&self) -> impl Iterator<Item = &T> {
        self.marks.iter().map(|(.., note)| note)
    }

    fn is_stale(&self, now: Instant, longest: Duration) -> bool {
        self.marks
            .front()
            .is_some_and(|(at, ..)| now.saturating_duration_since(*at) > longest)
    }

    fn pop(&mut self) {
        if let Some((_, mark, _)) = self.marks.pop_front() {
            self.first += 1;
            self.failed -= u32::from(mark.failed);
            self.slow -= u32::from(mark.slow);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Mark = Mark {
        failed: false,
        slow: false,
    };
    const SLOW: Mark = Mark {
        failed: false,
        slow: true,
    };
    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn it_slides_by_count_and_by_time() {
        let mut window = Window::new();
        let begun = Instant::now();
        for second in 0..5 {
            window.push((Mark::FAILED, ()), begun + Duration::from_secs(second), 3, MINUTE);
        }
        assert_eq!((window.calls(), window.failed()), (3, 3), "by count");
        window.push((GOOD, ()), begun + Duration::from_secs(63), 3, MINUTE);
        assert_eq!((window.calls(), window.failed()), (3, 2), "one is older than a minute");
        window.push((SLOW, ()), begun + Duration::from_secs(130), 3, MINUTE);
        assert_eq!((window.calls(), window.failed(), window.slow()), (1, 0, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_mark_turns_only_while_it_is_there() {
        let (mut window, now) = (Window::new(), Instant::now());
        let first = window.push((SLOW, ()), now, 2, MINUTE);
        assert!(window.fail(first) && window.fail(first));
        assert_eq!((window.failed(), window.slow()), (1, 0), "turned once");
        let second = window.push((GOOD, ()), now, 2, MINUTE);
        window.push((GOOD, ()), now, 2, MINUTE);
        assert!(!window.fail(first), "it has left");
        assert_eq!(window.failed(), 0);
        window.clear();
        assert!(!window.fail(second) && window.calls() == 0);
        let third = window.push((GOOD, ()), now, 2, MINUTE);
        assert!(third > second && window.fail(third));
    }
}
