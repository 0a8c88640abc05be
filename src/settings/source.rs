//! The text that settings were read from, and where each of them stands in it.

use std::{collections::BTreeMap, fmt, sync::Arc};

use super::document::{Is, Node, line_and_column};

/// Where settings come from. Two settings are equal wherever they come from.
#[derive(Clone, Default)]
pub(super) struct Source {
    pub(super) file: Option<Arc<str>>,
    pub(super) text: Arc<str>,
    /// The path of each setting, and where its value begins.
    places: Arc<BTreeMap<String, usize>>,
}

impl Source {
    /// A text; nothing is known of its settings yet.
    pub(super) fn new(file: Option<&str>, text: &str) -> Self {
        Self {
            file: file.map(Arc::from),
            text: text.into(),
            places: Arc::default(),
        }
    }

    /// The same with the places of this tree.
    pub(super) fn with_places(mut self, tree: &Node) -> Self {
        let mut places = BTreeMap::new();
        note(tree, &mut String::new(), &mut places);
        self.places = Arc::new(places);
        self
    }

    /// Where the setting at this path stands, or the nearest one above it that is written down.
    pub(super) fn line_and_column(&self, path: &str) -> Option<(usize, usize)> {
        let mut path = path;
        while !path.is_empty() {
            if let Some(at) = self.places.get(path) {
                return Some(line_and_column(&self.text, *at));
            }
            path = path
                .rfind(['.', '['])
                .and_then(|end| path.get(..end))
                .unwrap_or_default();
        }
        None
    }
}

fn note(node: &Node, path: &mut String, places: &mut BTreeMap<String, usize>) {
    if !path.is_empty() {
        places.insert(path.clone(), node.at);
    }
    let length = path.len();
    match &node.is {
        Is::List(nodes) => {
            for (index, node) in nodes.iter().enumerate() {
                path.push_str(&format!("[{index}]"));
                note(node, path, places);
                path.truncate(length);
            }
        }
        Is::Table(members) => {
            for member in members {
                push(path, &member.name);
                note(&member.value, path, places);
                path.truncate(length);
            }
        }
        _ => {}
    }
}

/// Appends a key to a path.
pub(super) fn push(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(name);
}

impl PartialEq for Source {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.file.as_deref().unwrap_or("no file"))
    }
}
