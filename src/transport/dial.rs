//! Opening a connection so that whoever waits for it can leave at once.

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use crossbeam_channel::{bounded, select_biased};

use super::connection::Connection;
use super::open::Opener;
use super::progress::Progress;
use crate::bounds::Bounds;
use crate::error::{Error, ErrorKind, Phase};
use crate::pool::{CloseReason, ConnectFailure, Lease, Permit};

/// Opens a connection into the place that `permit` holds, to be used until the
/// moment `retire_at` names.
///
/// The system's connecting cannot be interrupted. So under a token it is done in a
/// thread of its own, and who waits leaves when the token is cancelled; the place
/// stays taken until the system has given up too, for there is a socket until then.
/// That is bounded by the deadline and the connect timeout.
///
/// A place is for one established connection. While several addresses of a host race, more
/// than one socket may be connecting for it, and those that lose may be connecting until the
/// connect timeout after the winner is in use. A loser that connects is closed at once.
pub(super) fn dial(
    opener: &Arc<Opener>,
    permit: Permit<Connection>,
    retire_at: impl FnOnce() -> Option<Instant> + Send + 'static,
    bounds: &Bounds,
) -> Result<Lease<Connection>, Error> {
    let progress = Arc::new(Progress::new(opener.deadline(bounds), bounds.cancel.clone()));
    let work = {
        let (opener, progress, bounds) =
            (Arc::clone(opener), Arc::clone(&progress), bounds.clone());
        move || match opener.open(&progress, &bounds) {
            Ok(connection) => Ok(permit.fill(connection, retire_at())),
            Err(error) => {
                permit.fail(failure(&error));
                Err(opener.explain(error, &bounds))
            }
        }
    };
    let Some(token) = &bounds.cancel else { return work() };
    let (cancelled, _listening) = token.channel();
    let (sender, opened) = bounded(1);
    let thread = thread::Builder::new().name("tollgate-connect".to_owned());
    let spawned = thread.spawn(move || {
        // Whoever asked may have left.
        if let Err(unwanted) = sender.send(work()) {
            if let Ok(lease) = unwanted.into_inner() {
                lease.close(CloseReason::Cancelled);
            }
        }
    });
    if let Err(cause) = spawned {
        return Err(Error::new(ErrorKind::Connection, "cannot start a thread to connect in")
            .with_phase(Phase::Connect)
            .with_source(cause));
    }
    // The work itself keeps to the deadline.
    select_biased! {
        recv(opened) -> outcome => outcome.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Connection, "connecting ended without a result")
                .with_phase(progress.phase()))
        }),
        recv(cancelled) -> _ => Err(Error::cancelled().with_phase(progress.phase())),
    }
}

fn failure(error: &Error) -> ConnectFailure {
    match (error.kind(), error.phase()) {
        (ErrorKind::Cancelled, _) => ConnectFailure::Cancelled,
        (ErrorKind::Timeout, _) => ConnectFailure::Timeout,
        (_, Some(Phase::Tls)) => ConnectFailure::Tls,
        (_, Some(Phase::Resolve)) => ConnectFailure::Resolve,
        _ => ConnectFailure::Connect,
    }
}
