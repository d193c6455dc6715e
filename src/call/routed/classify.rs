//! Lets the classifier of a route choose the target to begin with.

use crate::chat::ChatRequest;
use crate::config::{Choice, Classifier, TargetInfo};
use crate::routing::{Classification, RoutedTarget, Walk};

/// Lets a classifier choose the target to begin with.
pub(super) fn begin(walk: &mut Walk, classifier: &dyn Classifier, request: &ChatRequest) {
    let targets = &walk.route.targets;
    let infos: Vec<TargetInfo<'_>> = targets.iter().map(info).collect();
    let Some(Choice { target, reason }) = classifier.classify(request, &infos) else { return };
    let at = targets.iter().position(|one| one.name == target);
    let classifier = classifier.name().to_owned();
    walk.begin_at(at, Classification { classifier, target, reason, is_known: at.is_some() });
}

/// A target, as a classifier sees it.
fn info(target: &RoutedTarget) -> TargetInfo<'_> {
    let state = &target.state;
    TargetInfo::new(&target.name, &state.provider, &state.model).region(target.region.as_deref())
}
