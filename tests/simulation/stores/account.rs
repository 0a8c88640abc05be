//! Our own count of one account: the least that a store must have counted, whatever its clock says and however it steps.

use tower_openrouter::layers::{
    UtcTime,
    budget::{Budget, Window},
};

/// One account, in millionths of a millionth of a dollar, and in milliseconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Account {
    pub(crate) reserved: i128,
    /// What was spent out of reservations.
    pub(crate) covered: i128,
    /// What was spent beyond them.
    pub(crate) beyond: i128,
    /// The earliest and the latest window that the store may be in: it does not say at which times it looked at its windows.
    windows: (u64, u64),
    /// Of a rolling window: when what was spent, out of a reservation and beyond it.
    spends: Vec<(u64, i128, i128)>,
}

impl Account {
    /// The store may have looked at its window at this time, or has.
    pub(super) fn look(&mut self, budget: &Budget, at: UtcTime, is_certain: bool) {
        if let Window::Rolling(span) = budget.window() {
            return self.expire(at.millis(), u64::try_from(span.as_millis()).unwrap());
        }
        let start = budget.window_start(at).millis();
        let end = budget.window_end(at).map_or(u64::MAX, UtcTime::millis);
        let (least, most) = self.windows;
        // A later window begins empty. A clock that goes back begins none, and by more than a window it takes what is spent with it.
        if least < start {
            (self.covered, self.beyond) = (0, 0);
        }
        let goes_back = most > end;
        self.windows = match (is_certain, goes_back) {
            (true, true) => (start, if least > end { start } else { end }),
            (true, false) => (least.max(start), most.max(start)),
            (false, true) => (least.min(start), most),
            (false, false) => (least, most.max(start)),
        };
    }

    /// What was spent a window ago counts no more.
    fn expire(&mut self, at: u64, span: u64) {
        for spend in &mut self.spends {
            // If the clock goes back, all may count as spent then.
            spend.0 = spend.0.min(at);
        }
        let gone = |spend: &(u64, i128, i128)| spend.0.saturating_add(span) <= at;
        for (_, covered, beyond) in self.spends.iter().filter(|spend| gone(spend)) {
            self.covered -= covered;
            self.beyond -= beyond;
        }
        self.spends.retain(|spend| !gone(spend));
    }

    /// Ends a reservation.
    pub(super) fn settle(&mut self, budget: &Budget, at: UtcTime, held: i128, spent: i128) {
        self.reserved -= held;
        let covered = spent.min(held);
        self.spend(budget, at, covered, spent - covered);
    }

    /// Spends more, or less: what did not fit goes first.
    pub(super) fn adjust(&mut self, budget: &Budget, at: UtcTime, by: i128) {
        let over = by.max(-self.beyond.max(0));
        self.spend(budget, at, by - over, over);
    }

    fn spend(&mut self, budget: &Budget, at: UtcTime, covered: i128, beyond: i128) {
        self.covered += covered;
        self.beyond += beyond;
        if !matches!(budget.window(), Window::Rolling(_)) {
            return;
        }
        if covered >= 0 && beyond >= 0 {
            self.spends.push((at.millis(), covered, beyond));
            return;
        }
        // What is taken back is taken from what would count longest: then never too much is left.
        self.spends.sort_unstable();
        let mut back = (-covered, -beyond);
        for (_, covered, beyond) in self.spends.iter_mut().rev() {
            let part = ((*covered).min(back.0).max(0), (*beyond).min(back.1).max(0));
            (*covered, *beyond) = (*covered - part.0, *beyond - part.1);
            back = (back.0 - part.0, back.1 - part.1);
        }
        self.covered = self.spends.iter().map(|spend| spend.1).sum();
        self.beyond = self.spends.iter().map(|spend| spend.2).sum();
    }

    /// What stands against the cap.
    pub(super) const fn taken(&self) -> i128 {
        self.reserved + self.covered
    }
}
