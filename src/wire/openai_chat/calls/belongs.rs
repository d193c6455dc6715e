//! Decides which tool call a delta of a stream belongs to.

use crate::wire::stream::arguments::{State, is_complete};

/// The call that a delta would continue: the one with its index, or the last one if it has no
/// index.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open<'a> {
    pub(super) id: &'a str,
    pub(super) name: &'a str,
    pub(super) state: State,
    /// True if this chunk has named it.
    pub(super) named_here: bool,
}

/// A delta without the id of a known call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) id: &'a str,
    pub(super) name: &'a str,
    pub(super) arguments: &'a str,
}

/// Returns true if a delta starts another call.
///
/// Only a name or a new id can show that, and neither is reliable. Some servers repeat the name in
/// every delta of a call, and older releases of vLLM invent an id for every delta. Others give all
/// calls index 0 or none, and no ids (Ollama, huggingface/smolagents #1958; Gemini behind several
/// gateways). So another call starts if the open one cannot continue because its arguments are
/// complete, or if it has no arguments yet.
pub(super) fn begins_another(open: Open<'_>, piece: Piece<'_>) -> bool {
    let named = !piece.name.is_empty() && !open.name.is_empty();
    let renamed = named && piece.name != open.name;
    let new_id = !piece.id.is_empty() && !open.id.is_empty() && piece.id != open.id;
    let arguments = piece.arguments.trim();
    let begins_arguments = arguments.starts_with('{');
    if !named && !new_id {
        return false;
    }
    match open.state {
        State::Complete => named || !arguments.is_empty(),
        State::Empty | State::Placeholder => {
            let is_whole = is_complete(arguments);
            let is_partial = !arguments.is_empty() && !is_whole;
            match (renamed, named, new_id) {
                (true, ..) => true,
                (_, false, _) => false,
                (_, _, true) => !is_partial,
                _ => open.named_here || (open.state == State::Placeholder && is_whole),
            }
        }
        State::Partial => {
            let is_marked = new_id || open.named_here;
            (renamed && (begins_arguments || new_id)) || (named && is_marked && begins_arguments)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_call_starts_when_the_open_one_cannot_continue() {
        use State::{Complete, Empty, Partial, Placeholder};
        let whole = "{\"a\": 1}";
        for (id, name, state, piece, expected) in [
            // Neither id nor name: it continues.
            ("c1", "f", Empty, ("", "", "{"), false),
            ("c1", "f", Partial, ("", "", "{"), false),
            ("c1", "f", Complete, ("", "", "\n"), false),
            ("c1", "f", Placeholder, ("", "", "{\"a\""), false),
            // Its missing parts.
            ("", "f", Complete, ("c1", "", ""), false),
            ("c1", "", Partial, ("c1", "f", ""), false),
            // Complete: a name starts another call, even the same name.
            ("", "f", Complete, ("", "g", whole), true),
            ("", "f", Complete, ("", "f", whole), true),
            ("c1", "f", Complete, ("c2", "g", ""), true),
            ("c1", "f", Complete, ("c2", "f", "{"), true),
            ("c1", "f", Complete, ("c2", "", whole), true),
            ("c1", "f", Complete, ("c2", "", ""), false),
            // A new id in every delta, with and without the name.
            ("c1", "f", Partial, ("c2", "f", "y\": 1"), false),
            ("c1", "f", Partial, ("c2", "", "y\": 1"), false),
            ("c1", "f", Partial, ("c2", "", "}"), false),
            ("c1", "f", Empty, ("c2", "", "{\"a\""), false),
            ("c1", "f", Empty, ("c2", "f", "{\"a\""), false),
            // The name in every delta.
            ("", "f", Empty, ("", "f", "{\"a\""), false),
            ("", "f", Empty, ("", "f", whole), false),
            ("", "f", Empty, ("", "f", ""), false),
            ("", "f", Partial, ("", "f", "y\": 1"), false),
            ("", "f", Placeholder, ("", "f", "{\"a\""), false),
            // Calls without arguments.
            ("", "f", Empty, ("", "g", ""), true),
            ("c1", "f", Empty, ("c2", "f", ""), true),
            ("c1", "f", Empty, ("c2", "f", whole), true),
            ("", "f", Placeholder, ("", "f", whole), true),
            ("", "f", Placeholder, ("", "f", "{}"), true),
            ("", "f", Placeholder, ("", "g", "{}"), true),
            // Interleaved.
            ("c1", "f", Partial, ("c2", "g", ""), true),
            ("c1", "f", Partial, ("c2", "f", "{\"a\""), true),
            ("", "f", Partial, ("", "g", "{\"a\""), true),
            ("", "f", Partial, ("", "g", "y\": 1"), false),
        ] {
            let open = Open { id, name, state, named_here: false };
            let piece = Piece { id: piece.0, name: piece.1, arguments: piece.2 };
            assert_eq!(begins_another(open, piece), expected, "{open:?} {piece:?}");
        }
        // Two calls named by one chunk are different, whatever else is missing.
        let open = Open { id: "", name: "f", state: Empty, named_here: true };
        assert!(begins_another(open, Piece { id: "", name: "f", arguments: "" }));
    }
}
