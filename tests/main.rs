//! The whole stack against the simulator, on real sockets and mostly in virtual time: one program, so that it is linked once.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "a test that fails here should say so"
)]

#[cfg(test)]
mod account;
#[cfg(test)]
mod adversary_keys;
#[cfg(test)]
mod adversary_logs;
#[cfg(test)]
mod adversary_options;
#[cfg(test)]
mod adversary_requests;
#[cfg(test)]
mod adversary_storms;
#[cfg(test)]
mod adversary_streams;
#[cfg(test)]
mod adversary_time;
#[cfg(test)]
mod any_bytes;
#[cfg(test)]
mod apis;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod balance;
#[cfg(test)]
mod budget_names;
#[cfg(test)]
#[cfg(feature = "cache")]
mod cache;
#[cfg(test)]
#[cfg(feature = "cache")]
mod cache_elsewhere;
#[cfg(test)]
#[cfg(feature = "cache")]
mod cache_slot;
#[cfg(test)]
mod cancellation;
#[cfg(test)]
mod catalogue;
#[cfg(test)]
mod catalogue_bills;
#[cfg(test)]
mod catalogue_file;
#[cfg(test)]
mod catalogue_properties;
#[cfg(test)]
mod catalogue_refresh;
#[cfg(test)]
mod compressed;
#[cfg(test)]
#[cfg(feature = "conformance")]
mod conformance;
#[cfg(test)]
mod connection_health;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod counted;
#[cfg(test)]
#[cfg(all(feature = "cache", feature = "metrics", feature = "sqlite"))]
mod dashboards;
#[cfg(test)]
mod default_deadline;
#[cfg(test)]
mod degrade;
#[cfg(test)]
mod direct_edits;
#[cfg(test)]
mod echoed_names;
#[cfg(test)]
mod endpoint;
#[cfg(test)]
mod endpoint_betas;
#[cfg(test)]
mod endpoint_bodies;
#[cfg(test)]
mod endpoint_encoding;
#[cfg(test)]
mod endpoint_endings;
#[cfg(test)]
mod endpoint_errors;
#[cfg(test)]
mod endpoint_routes;
#[cfg(test)]
mod endpoint_streams;
#[cfg(test)]
mod endpoint_waiting;
#[cfg(test)]
mod event_names;
#[cfg(test)]
mod events;
#[cfg(test)]
mod failed_usage;
#[cfg(test)]
mod faults_broken;
#[cfg(test)]
mod faults_refused;
#[cfg(test)]
mod fidelity;
#[cfg(test)]
mod finish_reasons;
#[cfg(test)]
mod hanging_bills;
#[cfg(test)]
mod held_back;
#[cfg(test)]
#[cfg(feature = "cache")]
mod idempotency;
#[cfg(test)]
#[cfg(all(feature = "cache", feature = "redis"))]
mod idempotency_killed;
#[cfg(test)]
mod interrupted;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod late_bills;
#[cfg(test)]
mod limit_headers;
#[cfg(test)]
mod limit_hints;
#[cfg(test)]
mod limits_by_key;
#[cfg(test)]
mod long_errors;
#[cfg(test)]
mod longest_answer;
#[cfg(test)]
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(test)]
mod money;
#[cfg(test)]
mod money_limits;
#[cfg(test)]
mod money_reserved;
#[cfg(test)]
mod money_tools;
#[cfg(test)]
mod mounted;
#[cfg(test)]
mod mounted_bytes;
#[cfg(test)]
mod observe;
mod odd_answers;
#[cfg(test)]
mod odd_heads;
#[cfg(test)]
mod opentelemetry;
#[cfg(test)]
mod options;
#[cfg(test)]
#[cfg(feature = "cache")]
mod outages;
#[cfg(test)]
mod own_layers;
#[cfg(test)]
mod own_options;
#[cfg(test)]
mod plausible_usage;
#[cfg(test)]
mod prices_by_hand;
#[cfg(test)]
mod provided_keys;
#[cfg(test)]
mod provider_health;
#[cfg(test)]
mod provider_words;
#[cfg(test)]
mod readiness;
#[cfg(test)]
mod recording;
#[cfg(test)]
mod remembered;
#[cfg(test)]
#[cfg(feature = "cache")]
mod remembered_keys;
#[cfg(test)]
mod restricted_routes;
#[cfg(test)]
mod resume;
#[cfg(test)]
mod retry_after;
#[cfg(test)]
mod scorecard;
#[cfg(test)]
mod scorecard_all;
#[cfg(test)]
mod scorecard_apis;
#[cfg(test)]
mod scorecard_ends;
#[cfg(test)]
#[cfg(feature = "typed")]
mod scripted;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod served_by;
#[cfg(test)]
#[cfg(feature = "settings")]
mod settings;
#[cfg(test)]
mod staying_up;
#[cfg(test)]
mod stream_upstream;
#[cfg(test)]
mod support;
#[cfg(test)]
#[cfg(feature = "typed")]
mod tools;
#[cfg(test)]
#[cfg(all(feature = "conformance", feature = "typed"))]
mod typed;
mod unread;
#[cfg(test)]
mod unsent;
#[cfg(test)]
mod usage_parts;
#[cfg(test)]
mod wire;
#[cfg(test)]
mod zero_cost;
