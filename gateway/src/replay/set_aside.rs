//! Settings that a replay cannot apply, since a recording has no content, no key and no tag.

use tower_openrouter::settings::{ConnectionsSettings, Settings};

/// Takes them out of the settings, and names those that were set.
pub(super) fn set_aside(settings: &mut Settings) -> Vec<&'static str> {
    let mut names = Vec::new();
    let mut aside = |name, was_set| {
        if was_set {
            names.push(name);
        }
    };
    // No request leaves the process.
    for upstream in &mut settings.upstream {
        upstream.key = None;
    }
    settings.connections = ConnectionsSettings::default();
    aside("cache", settings.cache.take().is_some());
    aside("idempotency", settings.idempotency.take().is_some());
    aside("conformance", settings.conformance.take().is_some());
    aside("canned_reply", settings.canned_reply.take().is_some());
    aside("provider_health", settings.provider_health.take().is_some());
    aside("tenant_limits", settings.tenant_limits.take().is_some());
    aside("require_tag", settings.require_tag.take().is_some());
    let has_prices = settings.catalogue.is_some() || !settings.prices.is_empty() || settings.unknown_price.is_some();
    let before = settings.budget.len();
    settings
        .budget
        .retain(|budget| has_prices && budget.each.is_empty() && budget.only.is_empty());
    aside("budget", settings.budget.len() < before);
    aside("max_per_hour", !has_prices && settings.max_per_hour.take().is_some());
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_content_keys_or_tags_is_named() {
        let text = "require_tag = \"team\"\ncanned_reply = \"Later.\"\n[[upstream]]\nname = \"openrouter\"\nkey = \"env:NOT_SET\"\n[[budget]]\n\
                    name = \"day\"\nusd = \"1\"\n";
        let mut settings = Settings::from_toml(text).unwrap();
        assert_eq!(set_aside(&mut settings), ["canned_reply", "require_tag", "budget"]);
        assert!(settings.upstream.iter().all(|upstream| upstream.key.is_none()));
        assert!(set_aside(&mut settings).is_empty());
    }
}
