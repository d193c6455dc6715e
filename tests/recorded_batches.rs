//! Batches that a server records and replays: a client asks the server instead of the provider.

mod support;

use support::batches::{GEMINI_BY_FILE, PROVIDERS, client, expected, outcomes, requests, server};
use support::folder::Folder;
use support::loopback;
use tollgate::replay::Mode;
use tollgate::testing::{BatchScript, Loopback};
use tollgate::{BatchState, Replay};

/// Every look at a batch has its own recording, and the names of Gemini's jobs are random.
fn recordings(folder: &Folder, mode: Mode) -> Replay {
    folder.replay(mode).sequence(true).ignore("/batch/displayName")
}

fn run(server: &Loopback, provider: &str, model: &str) -> Vec<(String, String)> {
    let client = client(server, provider, model);
    let batches = client.batches(provider);
    let batch = batches.submit(requests(3)).unwrap();
    assert_eq!(batches.wait(&batch).unwrap().state, BatchState::Completed, "{provider}");
    outcomes(&batches, &batch)
}

#[test]
fn a_batch_is_replayed_from_its_upload_to_its_results() {
    // Gemini names the address of large uploads itself, which is the provider's.
    for (provider, model) in PROVIDERS.into_iter().filter(|(id, _)| *id != GEMINI_BY_FILE) {
        let folder = Folder::new(&format!("batches-{provider}"));
        let upstream = server();
        upstream.batches(BatchScript::new().looks(2));
        let between = loopback();
        between.recordings(recordings(&folder, Mode::Record)).unwrap();
        between.forward_to(provider, upstream.base_url(provider)).unwrap();
        assert_eq!(run(&between, provider, model), expected(3, |_| None), "{provider}");
        drop((between, upstream));

        let offline = loopback();
        let replay = recordings(&folder, Mode::Replay);
        offline.recordings(&replay).unwrap();
        assert_eq!(run(&offline, provider, model), expected(3, |_| None), "{provider}");
        replay.check().unwrap();
    }
}
