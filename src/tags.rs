//! `Tags`: the tags of a call, shared by everything that keeps them.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// The tags of a call. A clone copies a pointer: the budgets, the cost report and the observers of
/// a call all keep its tags.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Tags(Option<Arc<BTreeMap<String, String>>>);

static NONE: BTreeMap<String, String> = BTreeMap::new();

impl Tags {
    /// Adds a tag, or replaces the one of the same name.
    pub(crate) fn insert(&mut self, name: String, value: String) {
        Arc::make_mut(self.0.get_or_insert_default()).insert(name, value);
    }
}

impl From<&BTreeMap<String, String>> for Tags {
    fn from(tags: &BTreeMap<String, String>) -> Self {
        tags.clone().into()
    }
}

impl From<BTreeMap<String, String>> for Tags {
    fn from(tags: BTreeMap<String, String>) -> Self {
        Self((!tags.is_empty()).then(|| Arc::new(tags)))
    }
}

impl Deref for Tags {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &Self::Target {
        self.0.as_deref().unwrap_or(&NONE)
    }
}

impl fmt::Debug for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_keeps_its_tags_when_the_original_changes() {
        let mut tags = Tags::default();
        assert!(tags.is_empty());
        tags.insert("customer".into(), "acme".into());
        let before = tags.clone();
        tags.insert("customer".into(), "zenith".into());
        tags.insert("team".into(), "blue".into());
        assert_eq!((before.len(), before["customer"].as_str()), (1, "acme"));
        assert_eq!((tags.len(), tags["customer"].as_str()), (2, "zenith"));
        assert_eq!(Tags::from(&BTreeMap::new()), Tags::default());
    }
}
