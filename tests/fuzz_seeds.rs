//! The seeds of the fuzz targets decode the same however they are cut.
//!
//! The checks are those of the fuzz targets, which themselves run only by hand.

#[path = "../fuzz/fuzz_targets/cut.rs"]
mod cut;
#[cfg(feature = "bedrock")]
#[path = "../fuzz/fuzz_targets/frames.rs"]
mod frames;
#[path = "../fuzz/fuzz_targets/pieces.rs"]
mod pieces;

use std::fs;
use std::path::{Path, PathBuf};

use tollgate::StreamDecoder;

type Target = (&'static str, fn() -> StreamDecoder, bool);

/// Each target of a stream decoder: its seeds, its decoder, and whether a stream numbers its
/// parts.
const TARGETS: [Target; 7] = [
    ("openai_stream", StreamDecoder::openai_chat, false),
    ("openai_stream", StreamDecoder::openai_completions, false),
    ("responses_stream", StreamDecoder::openai_responses, true),
    ("anthropic_stream", StreamDecoder::anthropic, true),
    ("cohere_stream", StreamDecoder::cohere, true),
    ("gemini_stream", StreamDecoder::gemini, false),
    ("ollama_stream", StreamDecoder::ollama, false),
];

/// The target whose frames need a feature.
const BEDROCK: &str = "bedrock_stream";

fn seeds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds")
}

#[test]
fn every_seed_decodes_the_same_however_it_is_cut() {
    for (target, decoder, numbered) in TARGETS {
        let mut count = 0;
        for file in fs::read_dir(seeds().join(target)).unwrap() {
            let path = file.unwrap().path();
            println!("{}", path.display());
            pieces::check(&fs::read(path).unwrap(), decoder, numbered);
            count += 1;
        }
        assert!(count > 0, "{target} has no seeds");
    }
}

/// The lines of its seeds become frames.
#[cfg(feature = "bedrock")]
#[test]
fn every_seed_of_bedrock_decodes_the_same_however_it_is_cut() {
    for file in fs::read_dir(seeds().join(BEDROCK)).unwrap() {
        let path = file.unwrap().path();
        println!("{}", path.display());
        let framed = frames::framed(&fs::read(path).unwrap());
        pieces::check(&framed, StreamDecoder::bedrock, true);
    }
}

#[test]
fn every_target_of_a_stream_decoder_is_in_the_table() {
    for directory in fs::read_dir(seeds()).unwrap() {
        let name = directory.unwrap().file_name().into_string().unwrap();
        let is_listed = TARGETS.iter().any(|(target, ..)| *target == name);
        let is_other = ["http_exchange", "sse", BEDROCK].contains(&&*name);
        assert!(is_listed || is_other, "add {name} to TARGETS");
    }
}
