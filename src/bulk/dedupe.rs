//! Equal requests, which are sent once.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::fingerprint::Fingerprint;

/// The requests that are in flight, with the items that wait for the same answer, and the latest
/// answers.
#[derive(Debug)]
pub(super) struct Duplicates<A, J> {
    requests: HashMap<Fingerprint, Known<A, J>>,
    /// The requests with an answer, oldest first.
    answered: VecDeque<Fingerprint>,
}

/// How many answers are kept.
const KEPT: usize = 10_000;

#[derive(Debug)]
enum Known<A, J> {
    /// In flight, and these items wait for it.
    Waiting(Vec<J>),
    Answered(Answered<A>),
}

/// An answer, and the id of the item that it was given to.
#[derive(Debug)]
pub(super) struct Answered<A> {
    pub(super) id: Arc<str>,
    pub(super) answer: Arc<A>,
}

impl<A> Clone for Answered<A> {
    fn clone(&self) -> Self {
        Self { id: Arc::clone(&self.id), answer: Arc::clone(&self.answer) }
    }
}

/// What to do with an item.
#[derive(Debug)]
pub(super) enum Found<A, J> {
    /// Nobody asked this before: send it.
    First(J),
    /// It waits for an equal request.
    Waits,
    Answered(J, Answered<A>),
}

impl<A, J> Default for Duplicates<A, J> {
    fn default() -> Self {
        Self { requests: HashMap::new(), answered: VecDeque::new() }
    }
}

impl<A, J> Duplicates<A, J> {
    /// Looks for an equal request.
    pub(super) fn find(&mut self, request: Fingerprint, item: J) -> Found<A, J> {
        match self.requests.get_mut(&request) {
            Some(Known::Waiting(others)) => {
                others.push(item);
                Found::Waits
            }
            Some(Known::Answered(answered)) => Found::Answered(item, answered.clone()),
            None => {
                self.requests.insert(request, Known::Waiting(Vec::new()));
                Found::First(item)
            }
        }
    }

    /// Notes the end of a request that was sent. Returns the items that wait for it.
    pub(super) fn ended(&mut self, request: Fingerprint, answer: Option<Answered<A>>) -> Vec<J> {
        let known = match answer {
            Some(answer) => {
                self.answered.push_back(request);
                if self.answered.len() > KEPT {
                    self.answered.pop_front().and_then(|oldest| self.requests.remove(&oldest));
                }
                self.requests.insert(request, Known::Answered(answer))
            }
            None => self.requests.remove(&request),
        };
        match known {
            Some(Known::Waiting(items)) => items,
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(answer: u32) -> Answered<u32> {
        Answered { id: "first".into(), answer: Arc::new(answer) }
    }

    #[test]
    fn equal_requests_share_one_answer() {
        let print = Fingerprint(1);
        let mut duplicates = Duplicates::default();
        assert!(matches!(duplicates.find(print, 1), Found::First(1)));
        assert!(matches!(duplicates.find(print, 2), Found::Waits));
        assert!(matches!(duplicates.find(Fingerprint(2), 3), Found::First(3)));
        assert_eq!(duplicates.ended(print, Some(answered(7))), [2]);
        assert!(matches!(
            duplicates.find(print, 4),
            Found::Answered(4, Answered { answer, .. }) if *answer == 7
        ));
        assert_eq!(duplicates.ended(Fingerprint(2), None), [0; 0]);
        assert!(matches!(duplicates.find(Fingerprint(2), 5), Found::First(5)));
    }

    #[test]
    fn only_the_latest_answers_are_kept() {
        let mut duplicates = Duplicates::default();
        for number in 0..KEPT as u128 + 5 {
            duplicates.find(Fingerprint(number), 0);
            duplicates.ended(Fingerprint(number), Some(answered(0)));
        }
        assert_eq!((duplicates.requests.len(), duplicates.answered.len()), (KEPT, KEPT));
        assert!(matches!(duplicates.find(Fingerprint(4), 1), Found::First(1)));
        assert!(matches!(duplicates.find(Fingerprint(5), 1), Found::Answered(..)));
    }
}
