//! `Target`: the provider, model and server by which metrics are counted.

use std::cmp::Ordering;
use std::sync::Arc;

/// How many targets have their own row. Calls to any further one count under "(other)".
pub(crate) const MOST: usize = 200;

/// The longest name kept, in bytes.
const MAX_NAME: usize = 200;

/// The name of the row for everything that has no row of its own.
pub(crate) const OTHER: &str = "(other)";

/// Where a call goes. Each target has its own row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    /// The [name](crate::Provider::name) of the provider.
    pub(crate) provider: &'a str,
    /// The requested model.
    pub(crate) model: &'a str,
    /// Such as [`CHAT`](super::CHAT); see `names.rs` for the others.
    pub(crate) operation: &'a str,
    /// The host that serves it, without a port.
    pub(crate) server_address: &'a str,
    /// The port there.
    pub(crate) server_port: u16,
}

/// An owned [`Target`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) provider: String,
    pub(super) model: String,
    pub(super) operation: String,
    pub(super) server_address: String,
    pub(super) server_port: u16,
}

impl Known {
    fn of(target: &Target<'_>) -> Self {
        Self {
            provider: bounded(target.provider).to_owned(),
            model: bounded(target.model).to_owned(),
            operation: bounded(target.operation).to_owned(),
            server_address: bounded(target.server_address).to_owned(),
            server_port: target.server_port,
        }
    }

    pub(super) fn target(&self) -> Target<'_> {
        Target {
            provider: &self.provider,
            model: &self.model,
            operation: &self.operation,
            server_address: &self.server_address,
            server_port: self.server_port,
        }
    }

    pub(super) fn is(&self, target: &Target<'_>) -> bool {
        self.order(target).is_eq()
    }

    /// The sort order of the targets in a shard. It compares the names that differ most often
    /// first, and lengths before letters, so that most comparisons end early.
    pub(super) fn order(&self, target: &Target<'_>) -> Ordering {
        let by = |known: &str, name: &str| {
            let name = bounded(name);
            known.len().cmp(&name.len()).then_with(|| known.cmp(name))
        };
        by(&self.model, target.model)
            .then_with(|| by(&self.provider, target.provider))
            .then_with(|| by(&self.operation, target.operation))
            .then_with(|| self.server_port.cmp(&target.server_port))
            .then_with(|| by(&self.server_address, target.server_address))
    }
}

/// All known targets. The index of each is its id.
#[derive(Debug)]
pub(super) struct Targets(Vec<Arc<Known>>);

impl Targets {
    /// The id of "(other)".
    pub(super) const OTHER: usize = 0;

    pub(super) fn new() -> Self {
        let other = Known {
            provider: OTHER.to_owned(),
            model: OTHER.to_owned(),
            operation: OTHER.to_owned(),
            ..Known::default()
        };
        Self(vec![Arc::new(other)])
    }

    /// Finds a target, or adds it; `None` if there is no room for more.
    pub(super) fn id(&mut self, target: &Target<'_>) -> Option<(usize, Arc<Known>)> {
        let found = self.0.iter().position(|known| known.is(target));
        let id = match found {
            Some(id) => id,
            None if self.0.len() <= MOST => {
                self.0.push(Arc::new(Known::of(target)));
                self.0.len() - 1
            }
            None => return None,
        };
        Some((id, self.0[id].clone()))
    }

    pub(super) fn get(&self, id: usize) -> &Known {
        &self.0[id]
    }
}

/// A name from outside, cut to the longest length that is kept.
pub(crate) fn bounded(name: &str) -> &str {
    if name.len() <= MAX_NAME {
        return name;
    }
    let end = (0..=MAX_NAME).rev().find(|at| name.is_char_boundary(*at));
    &name[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_targets_keep_their_ids_and_further_ones_have_none() {
        let mut targets = Targets::new();
        let names: Vec<String> = (0..MOST + 3).map(|number| number.to_string()).collect();
        for _ in 0..2 {
            for (number, name) in names.iter().enumerate() {
                let target = Target { model: name, ..Target::default() };
                let id = targets.id(&target).map(|(id, _)| id);
                assert_eq!(id, (number < MOST).then_some(number + 1));
            }
        }
        assert_eq!(targets.get(Targets::OTHER).model, "(other)");
    }

    #[test]
    fn long_names_are_cut() {
        let long = "é".repeat(5_000);
        let target = Target { model: &long, ..Target::default() };
        let mut targets = Targets::new();
        let (id, known) = targets.id(&target).unwrap();
        assert_eq!(known.model.len(), 200);
        assert_eq!(targets.id(&target).unwrap().0, id);
        assert_eq!(bounded(&format!("a{long}")).len(), 199);
    }
}
