//! Connects Ctrl-C to a cancel token, for the examples that run for long.

use std::process;

use tollgate::CancelToken;

/// The exit status that shells report after Ctrl-C: 128 plus the signal's number.
pub(crate) const INTERRUPTED: u8 = 130;

/// Returns a token that Ctrl-C cancels. A second Ctrl-C ends the program at once.
pub(crate) fn token() -> Result<CancelToken, ctrlc::Error> {
    let token = CancelToken::new();
    let handled = token.clone();
    ctrlc::set_handler(move || {
        // This runs in its own thread, not in a signal handler, so anything is allowed here.
        if handled.is_cancelled() {
            process::exit(INTERRUPTED.into());
        }
        handled.cancel();
    })?;
    Ok(token)
}
