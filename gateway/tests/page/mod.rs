//! The recorded calls, the JSON routes and the page, over a stack whose upstream is the simulator.

mod bounds;
mod browser;
mod cdp;
mod contrast;
mod html;
mod json;
mod live;
mod recorded;
mod restart;
mod support;
mod wrong;
