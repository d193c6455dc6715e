//! The items that are not submitted yet, by provider.

use std::collections::VecDeque;

use crate::chat::Provider;

/// Items that wait until there are enough of them for a batch.
#[derive(Debug)]
pub(super) struct Groups<J> {
    /// The most items of a batch.
    most: usize,
    groups: Vec<(Provider, VecDeque<J>)>,
}

impl<J> Groups<J> {
    pub(super) fn new(most: usize) -> Self {
        Self { most, groups: Vec::new() }
    }

    pub(super) fn add(&mut self, provider: &Provider, job: J) {
        match self.groups.iter_mut().find(|(own, _)| own == provider) {
            Some((_, jobs)) => jobs.push_back(job),
            None => self.groups.push((provider.clone(), VecDeque::from([job]))),
        }
    }

    /// Takes the items of the next batch: a full one, or the largest if `any`.
    pub(super) fn take(&mut self, any: bool) -> Option<(Provider, Vec<J>)> {
        let most = self.most;
        let (provider, jobs) = self.groups.iter_mut().max_by_key(|(_, jobs)| jobs.len())?;
        if jobs.is_empty() || (jobs.len() < most && !any) {
            return None;
        }
        let taken = jobs.drain(..jobs.len().min(most)).collect();
        Some((provider.clone(), taken))
    }

    pub(super) fn take_one(&mut self) -> Option<J> {
        self.groups.iter_mut().find_map(|(_, jobs)| jobs.pop_front())
    }

    pub(super) fn len(&self) -> usize {
        self.groups.iter().map(|(_, jobs)| jobs.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_one_provider_and_is_full_unless_it_must_go() {
        let (openai, mistral) = (Provider::from("openai"), Provider::from("mistral"));
        let mut groups = Groups::new(2);
        groups.add(&openai, 1);
        groups.add(&mistral, 2);
        assert_eq!(groups.take(false), None);
        groups.add(&openai, 3);
        groups.add(&openai, 4);
        assert_eq!(groups.take(false), Some((openai.clone(), vec![1, 3])));
        assert_eq!((groups.take(false), groups.len()), (None, 2));
        let mut rest = [groups.take(true), groups.take(true)].map(Option::unwrap);
        rest.sort_by_key(|(_, jobs)| jobs[0]);
        assert_eq!(rest, [(mistral, vec![2]), (openai, vec![4])]);
        assert_eq!(groups.take(true), None);
    }
}
