//! The stack as a process: client keys with exact budgets, four APIs, and a page that shows calls being rescued and what they cost.

pub mod calls;
pub mod page;
