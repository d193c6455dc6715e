//! `BatchScript`: how a batch goes at the loopback provider.

/// How a batch goes at the loopback provider, for
/// [`Loopback::batches`](super::super::Loopback::batches).
///
/// Each request is answered as a single call would be, by the rules and the script of the server,
/// when the batch ends. The results come in another order than the requests.
#[derive(Debug, Clone, Default)]
#[must_use = "a script does nothing until a server is given it"]
pub struct BatchScript {
    pub(super) looks: u32,
    pub(super) failing: Vec<(String, u16, String)>,
    pub(super) answered: Option<usize>,
    pub(super) refusal: Option<(String, String)>,
    pub(super) without_error_file: Option<String>,
    pub(super) omitted: Vec<String>,
    pub(super) doubled: Vec<String>,
    pub(super) foreign: bool,
    pub(super) cut: Option<(u32, usize)>,
    pub(super) halved: u32,
    pub(super) lost: u32,
    pub(super) dropped: u32,
    pub(super) pending: u32,
    pub(super) interrupted: u32,
    pub(super) forgotten: u32,
    pub(super) results_file: bool,
}

impl BatchScript {
    /// A batch that ends with the first look at it, with all requests answered.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many looks at the batch find it still at work. Default: 0.
    pub fn looks(mut self, looks: u32) -> Self {
        self.looks = looks;
        self
    }

    /// Fails the request of this id, with a status and a code as for
    /// [`Reply::error`](super::super::Reply::error). Default: none fails.
    pub fn fail(mut self, id: impl Into<String>, status: u16, code: impl Into<String>) -> Self {
        self.failing.push((id.into(), status, code.into()));
        self
    }

    /// Answers only the first `answered` requests. The others expire, or are cancelled if the client
    /// cancels the batch. Default: all are answered.
    pub fn answer_only(mut self, answered: usize) -> Self {
        self.answered = Some(answered);
        self
    }

    /// Refuses the batch as a whole, with this code and this reason, when the client looks at it.
    /// Default: it is accepted.
    pub fn refuse(mut self, code: impl Into<String>, reason: impl Into<String>) -> Self {
        self.refusal = Some((code.into(), reason.into()));
        self
    }

    /// Names no file of failures if there is none, by an empty string instead of null, as some
    /// servers do. Default: null.
    pub fn empty_error_file(mut self) -> Self {
        self.without_error_file = Some(String::new());
        self
    }

    /// Returns no result for the request of this id. Default: every request has one.
    pub fn omit(mut self, id: impl Into<String>) -> Self {
        self.omitted.push(id.into());
        self
    }

    /// Returns the result of the request of this id twice. Default: once.
    pub fn double(mut self, id: impl Into<String>) -> Self {
        self.doubled.push(id.into());
        self
    }

    /// Adds a result whose id belongs to no request. Default: none.
    pub fn foreign_result(mut self) -> Self {
        self.foreign = true;
        self
    }

    /// Ends the connection after `bytes` of a file of results, the first `times` it is read.
    /// Default: never.
    pub fn cut_results(mut self, times: u32, bytes: usize) -> Self {
        self.cut = Some((times, bytes));
        self
    }

    /// Sends only half of a file of results as if it were whole, the first `times` it is read.
    /// Default: never.
    pub fn halve_results(mut self, times: u32) -> Self {
        self.halved = times;
        self
    }

    /// Creates the next `times` jobs, but ends the connection instead of saying so. Default: never.
    pub fn lose_answers(mut self, times: u32) -> Self {
        self.lost = times;
        self
    }

    /// Ends the connection instead of creating a job, the next `times`. Default: never.
    pub fn lose_requests(mut self, times: u32) -> Self {
        self.dropped = times;
        self
    }

    /// Keeps only half of a piece of an upload in pieces, and ends the connection, the next `times`. Only
    /// Gemini's uploads come in pieces. Default: never.
    pub fn interrupt_uploads(mut self, times: u32) -> Self {
        self.interrupted = times;
        self
    }

    /// Forgets an upload in pieces when a piece of it arrives, and ends the connection, the next `times`.
    /// Default: never.
    pub fn forget_uploads(mut self, times: u32) -> Self {
        self.forgotten = times;
        self
    }

    /// Returns the results of Gemini's batches in a file, even if the requests were part of the job.
    /// Default: only if the requests were in a file.
    pub fn results_in_a_file(mut self) -> Self {
        self.results_file = true;
        self
    }

    /// Sets how many looks find an uploaded file not ready yet, as at Azure. A job over such a file is
    /// refused. Default: 0.
    pub fn pending_files(mut self, looks: u32) -> Self {
        self.pending = looks;
        self
    }
}
