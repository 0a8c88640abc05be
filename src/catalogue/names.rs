//! What a model is called: variants, presets, and what they ask for.

use std::borrow::Cow;

/// Variants that only say how to route: the model is the one without them. All others are models of their own.
const ROUTING: [&str; 4] = ["nitro", "floor", "exacto", "online"];

/// What the name of a model requests in addition to the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Extras {
    /// Priority endpoints are admitted.
    pub(super) priority: bool,
    /// The web may be searched.
    pub(super) search: bool,
}

impl Extras {
    pub(super) fn of(name: &str) -> Self {
        if !name.bytes().any(|byte| matches!(byte, b':' | b'@')) {
            return Self::default();
        }
        let (model, preset) = parts(name);
        let has = |variant| model.split(':').skip(1).any(|known| known == variant);
        Self {
            // A preset may request either: it is stored at the upstream, and cannot be read here.
            priority: preset || has("nitro"),
            search: preset || has("online"),
        }
    }
}

/// A name without a preset and without routing variants.
pub(super) fn bare(name: &str) -> Cow<'_, str> {
    let (mut model, _) = parts(name);
    // They stand at the end, mostly.
    while let Some((shorter, variant)) = model.rsplit_once(':') {
        if !ROUTING.contains(&variant) {
            break;
        }
        model = shorter;
    }
    if model.split(':').skip(1).any(|variant| ROUTING.contains(&variant)) {
        let kept: Vec<_> = model.split(':').filter(|part| !ROUTING.contains(part)).collect();
        return Cow::Owned(kept.join(":"));
    }
    Cow::Borrowed(model)
}

/// The dated slug of a model, with the variant of its id. Variants may be listed under the slug of the plain model, which costs
/// something else.
pub(super) fn dated<'a>(id: &str, slug: &'a str) -> Cow<'a, str> {
    match id.split_once(':') {
        Some((_, variant)) if !slug.contains(':') => Cow::Owned(format!("{slug}:{variant}")),
        _ => Cow::Borrowed(slug),
    }
}

/// The model, and whether a preset stands behind it.
fn parts(name: &str) -> (&str, bool) {
    name.split_once('@').map_or((name, false), |(model, _)| (model, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routing_is_taken_off_and_models_of_their_own_stay() {
        for (name, model) in [
            ("a/b", "a/b"),
            ("a/b:nitro", "a/b"),
            ("a/b:free", "a/b:free"),
            ("a/b:free:online", "a/b:free"),
            ("a/b:online:free", "a/b:free"),
            ("a/b:floor:exacto", "a/b"),
            ("a/b:thinking", "a/b:thinking"),
            ("a/b:extended@preset/mine", "a/b:extended"),
            ("a/b:nitro@preset/mine", "a/b"),
            ("~a/b-latest:nitro", "~a/b-latest"),
            ("@preset/mine", ""),
            ("", ""),
        ] {
            assert_eq!(bare(name), model, "{name}");
        }
        assert_eq!(dated("a/b:free", "a/b-2025"), "a/b-2025:free");
        assert_eq!(dated("a/b:free", "a/b-2025:free"), "a/b-2025:free");
        assert_eq!(dated("a/b", "a/b-2025"), "a/b-2025");
    }

    #[test]
    fn a_name_may_ask_for_more_than_a_model() {
        let extras = |name| {
            let extras = Extras::of(name);
            (extras.priority, extras.search)
        };
        assert_eq!(extras("a/b"), (false, false));
        assert_eq!(extras("a/b:free:floor"), (false, false));
        assert_eq!(extras("a/b:nitro"), (true, false));
        assert_eq!(extras("a/b:free:online"), (false, true));
        assert_eq!(extras("a/b@preset/mine"), (true, true));
    }
}
