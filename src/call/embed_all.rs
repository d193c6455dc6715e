//! Embeds any number of texts: splits them, sends the requests in parallel, and joins the answers.

use crossbeam_channel::{Receiver, Sender, never, select, unbounded};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use super::Caller;
use super::embed::{self, Answered, Embed};
use super::run::{Completed, run};
use super::target::{self, Target};
use crate::cancel::CancelToken;
use crate::cost::Tally;
use crate::embed::{EmbedRequest, EmbeddedTexts, Embeddings};
use crate::error::{Error, ErrorKind};
use crate::observed::Ended;
use crate::provider::Provider;
use crate::wire::embeddings::{Size, split};

/// The most requests in flight at once, unless the caller sets another number.
const PARALLEL: usize = 8;

/// How the texts of a call become requests.
struct Plan {
    /// The texts of each request.
    ranges: Vec<Range<usize>>,
    sizes: Vec<Size>,
}

/// An answer, and the provider that gave it.
type Reply = (Provider, Answered);

impl Caller {
    /// Embeds texts with as many requests as they need.
    pub(crate) fn embed(self: &Arc<Self>, request: &EmbedRequest) -> Result<Embeddings, Error> {
        let begun = Instant::now();
        let Plan { ranges, sizes } = self.plan(request);
        let is_split = ranges.len() > 1;
        let piece = |place: usize, cancel: Option<&CancelToken>| {
            let range = ranges[place].clone();
            let own_key = request.idempotency_key.as_deref();
            let operation = Embed {
                request,
                texts: &request.texts[range.clone()],
                first: range.start,
                sizes: sizes.get(range).unwrap_or_default(),
                cancel,
                // Another body needs another key.
                idempotency_key: own_key.map(|key| match is_split {
                    true => format!("{key}-{}", place + 1).into(),
                    false => Cow::Borrowed(key),
                }),
                since: begun,
            };
            self.embed_piece(&operation)
        };
        let cancel = request.cancel_token.as_ref();
        let replies = match &ranges[..] {
            [] | [_] => vec![piece(0, cancel)?],
            several => in_parallel(several, self.parallel(request), cancel, piece)?,
        };
        let mut embeddings = join(replies)?;
        embeddings.latency = begun.elapsed();
        Ok(embeddings)
    }

    /// Splits the texts. If one request cannot be sent, the plan has that one alone: the call then
    /// fails before it sends anything.
    fn plan(&self, request: &EmbedRequest) -> Plan {
        let asked = embed::asked(request);
        let target = target::resolve(asked, &self.endpoints, &self.settings, &self.transport);
        let known = target.and_then(|target: Target| Ok((embed::format(&target)?, target)));
        let everything = 0..request.texts.len();
        let Ok((format, target)) = known else {
            return Plan { ranges: vec![everything], sizes: Vec::new() };
        };
        let limits = format.limits(embed::wire_target(&target));
        let sizes = embed::sizes(self, &target, &request.texts);
        let mut ranges = split(&sizes, &limits, request.batch_size);
        let refused = ranges.iter().find(|range| {
            let (texts, sizes) = (&request.texts[(*range).clone()], &sizes[(*range).clone()]);
            embed::problem(request, texts, sizes, range.start, &limits).is_some()
        });
        match refused.cloned() {
            Some(range) => ranges = vec![range],
            None if ranges.is_empty() => ranges = vec![everything],
            None => {}
        }
        Plan { ranges, sizes }
    }

    /// The most requests of a call in flight at once.
    fn parallel(&self, request: &EmbedRequest) -> usize {
        let pool = &self.settings.pool;
        let asked = request.parallel_requests.unwrap_or(PARALLEL);
        asked.min(pool.max_per_origin).min(pool.max_size).max(1)
    }

    /// Sends one request and waits for its answer.
    fn embed_piece(self: &Arc<Self>, operation: &Embed<'_>) -> Result<Reply, Error> {
        let begun = Instant::now();
        let (observed, Completed { target, tried, source, .. }) =
            run(self, operation, embed::sent, begun)?;
        let mut answered = tried.value;
        let batch = &mut answered.batch;
        (batch.latency, batch.attempts, batch.source) = (begun.elapsed(), tried.attempts, source);
        observed.end(&Ended {
            answer: Some((&answered).into()),
            attempts: &answered.batch.attempts,
            ..Ended::default()
        });
        Ok((target.endpoint.id().clone(), answered))
    }
}

/// Runs `piece` for the place of every range on at most `threads` threads. The first failure cancels
/// the others and is returned.
fn in_parallel(
    ranges: &[Range<usize>],
    threads: usize,
    cancel: Option<&CancelToken>,
    piece: impl Fn(usize, Option<&CancelToken>) -> Result<Reply, Error> + Sync,
) -> Result<Vec<Reply>, Error> {
    let (stop, next) = (CancelToken::new(), AtomicUsize::new(0));
    let is_cancelled = || cancel.is_some_and(CancelToken::is_cancelled);
    if is_cancelled() {
        // Nothing is sent. The failure is reported like that of any call.
        return Ok(vec![piece(0, cancel)?]);
    }
    let (sender, results) = unbounded();
    let work = |sender: &Sender<(usize, Result<Reply, Error>)>| {
        let _guard = StopOnPanic(&stop);
        while !stop.is_cancelled() && !is_cancelled() {
            let place = next.fetch_add(1, Ordering::Relaxed);
            if place >= ranges.len() {
                return;
            }
            let result = piece(place, Some(&stop));
            let failed = result.is_err();
            if sender.send((place, result)).is_err() {
                return;
            }
            // Only after the error is on its way, so that it comes before those of the others.
            if failed {
                stop.cancel();
            }
        }
    };
    let (work, mut started) = (&work, 0);
    thread::scope(|scope| {
        for _ in 0..threads.min(ranges.len()) {
            let sender = sender.clone();
            let builder = thread::Builder::new().name("tollgate-embed".to_owned());
            started += usize::from(builder.spawn_scoped(scope, move || work(&sender)).is_ok());
        }
        if started == 0 {
            return Err(Error::new(ErrorKind::Configuration, "no thread can be started")
                .with_retry_hints(None, Some(true)));
        }
        drop(sender);
        collect(ranges, &results, cancel, &stop)
    })
}

/// Cancels the other requests if one of them panics.
struct StopOnPanic<'a>(&'a CancelToken);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.cancel();
        }
    }
}

/// Waits for all results. The first failure, or the caller's `cancel` token, cancels `stop`; the
/// error carries the replies that came.
fn collect(
    ranges: &[Range<usize>],
    results: &Receiver<(usize, Result<Reply, Error>)>,
    cancel: Option<&CancelToken>,
    stop: &CancelToken,
) -> Result<Vec<Reply>, Error> {
    let (mut cancelled, _listening) = match cancel.map(CancelToken::channel) {
        Some((cancelled, listening)) => (cancelled, Some(listening)),
        None => (never(), None),
    };
    let mut replies: Vec<Option<Reply>> = ranges.iter().map(|_| None).collect();
    let (mut failed, mut dimension) = (None, None);
    loop {
        let result = select! {
            recv(results) -> result => result,
            recv(cancelled) -> _ => {
                stop.cancel();
                cancelled = never();
                continue;
            }
        };
        // All threads have ended.
        let Ok((place, result)) = result else { break };
        let checked = result.and_then(|(provider, answered)| {
            let (found, expected) = (answered.rows.dimension(), dimension);
            dimension = Some(expected.unwrap_or(found));
            match expected {
                Some(expected) if expected != found => Err(uneven(&provider, found, expected)),
                _ => Ok((provider, answered)),
            }
        });
        match checked {
            Ok(reply) => replies[place] = Some(reply),
            // Those that it cancels end with an error too.
            Err(error) => {
                failed.get_or_insert(error);
                stop.cancel();
            }
        }
    }
    if failed.is_none() && replies.iter().all(Option::is_some) {
        return Ok(replies.into_iter().flatten().collect());
    }
    let embedded: Vec<_> = ranges
        .iter()
        .zip(replies)
        .filter_map(|(texts, reply)| {
            Some(EmbeddedTexts { texts: texts.clone(), embeddings: alone(reply?) })
        })
        .collect();
    Err(failed.unwrap_or_else(Error::cancelled).with_answered(embedded))
}

fn uneven(provider: &Provider, found: usize, expected: usize) -> Error {
    Error::new(
        ErrorKind::Protocol,
        format!(
            "the embeddings of one request have {found} components, but those of another have \
             {expected}; check whether the model changed between them"
        ),
    )
    .with_provider(provider.as_str())
    .with_retry_hints(None, Some(false))
}

/// The embeddings of one answer.
fn alone((provider, Answered { rows, model, batch }): Reply) -> Embeddings {
    Embeddings {
        rows,
        model,
        provider,
        usage: batch.usage,
        cost: batch.cost,
        latency: batch.latency,
        batches: vec![batch],
    }
}

/// Joins the answers in order and adds up what they used.
fn join(replies: Vec<Reply>) -> Result<Embeddings, Error> {
    let batches = replies.iter().map(|(_, answered)| &answered.batch);
    let total: Tally = batches.map(|batch| Tally::of_answer(batch.usage, batch.cost)).sum();
    let mut replies = replies.into_iter();
    let Some(first) = replies.next() else { return Err(Error::cancelled()) };
    let mut all = alone(first);
    all.usage = total.usage;
    all.cost = (total.unpriced == 0).then_some(total.cost);
    for (provider, Answered { rows, batch, .. }) in replies {
        let (found, expected) = (rows.dimension(), all.rows.dimension());
        all.rows.append(rows).map_err(|_| uneven(&provider, found, expected))?;
        all.batches.push(batch);
    }
    Ok(all)
}
