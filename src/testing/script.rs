//! Chooses the loopback provider's reply to a request.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use super::content::Content;
use super::reply::Reply;
use super::request::Request;
use crate::sync::Lock;
use crate::sync::ordered::Mutex;

type Rule = Arc<dyn Fn(&Request) -> Option<Arc<Reply>> + Send + Sync>;

/// The rules and scripted replies of a server.
pub(super) struct Script {
    /// Guards the scripted replies: each is used once. Rules are the user's code and run without
    /// the lock.
    lines: Mutex<Lines>,
}

struct Lines {
    rules: Arc<Vec<Rule>>,
    queue: VecDeque<Arc<Reply>>,
    otherwise: Arc<Reply>,
}

impl Default for Script {
    fn default() -> Self {
        Self { lines: Mutex::new(Lock::LoopbackScript, Lines::default()) }
    }
}

impl Default for Lines {
    fn default() -> Self {
        let otherwise = Arc::new(Reply::new(200, Content::Echo));
        Self { rules: Arc::default(), queue: VecDeque::new(), otherwise }
    }
}

impl Script {
    pub(super) fn push(&self, reply: Reply) {
        self.lines.lock().queue.push_back(Arc::new(reply));
    }

    pub(super) fn rule(
        &self,
        rule: impl Fn(&Request) -> Option<Arc<Reply>> + Send + Sync + 'static,
    ) {
        Arc::make_mut(&mut self.lines.lock().rules).push(Arc::new(rule));
    }

    pub(super) fn otherwise(&self, reply: Reply) {
        self.lines.lock().otherwise = Arc::new(reply);
    }

    pub(super) fn clear(&self) {
        let old = std::mem::take(&mut *self.lines.lock());
        // The user's closures are dropped outside the lock.
        drop(old);
    }

    pub(super) fn unused(&self) -> usize {
        self.lines.lock().queue.len()
    }

    /// The reply of the first rule that matches.
    pub(super) fn by_rule(&self, request: &Request) -> Option<Arc<Reply>> {
        let rules = Arc::clone(&self.lines.lock().rules);
        rules.iter().find_map(|rule| rule(request))
    }

    /// The next scripted reply.
    pub(super) fn next(&self) -> Arc<Reply> {
        let mut lines = self.lines.lock();
        let next = lines.queue.pop_front();
        next.unwrap_or_else(|| Arc::clone(&lines.otherwise))
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").field("unused", &self.unused()).finish_non_exhaustive()
    }
}
