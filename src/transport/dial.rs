//! Opens a connection while its caller can leave at any moment.

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

/// Opens a connection into the place that `permit` holds. It may be used until `retire_at`.
///
/// The system's connect cannot be interrupted. With a cancel token it runs on a thread of its own,
/// and the caller leaves when the token is cancelled. The place stays taken until the system has
/// given up too, because the socket exists until then. The deadline and the connect timeout limit
/// that time.
///
/// A place is for one established connection. While several addresses of a host race, more than one
/// socket may be connecting for it. The losers may still be connecting, until the connect timeout,
/// after the winner is in use. A loser that connects is closed at once.
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
                Err(opener.name_limit(error, &bounds))
            }
        }
    };
    let Some(token) = &bounds.cancel else { return work() };
    let (cancelled, _listening) = token.channel();
    let (sender, opened) = bounded(1);
    let thread = thread::Builder::new().name("tollgate-connect".to_owned());
    let spawned = thread.spawn(move || {
        // The caller may have left.
        if let Err(unwanted) = sender.send(work()) {
            if let Ok(lease) = unwanted.into_inner() {
                lease.close(CloseReason::Cancelled);
            }
        }
    });
    if let Err(cause) = spawned {
        return Err(Error::new(
            ErrorKind::Connection,
            "cannot start the thread that opens the connection",
        )
        .with_phase(Phase::Connect)
        .with_source(cause));
    }
    // The work itself respects the deadline.
    select_biased! {
        recv(opened) -> outcome => outcome.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Connection, "the thread that opens the connection ended early")
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
