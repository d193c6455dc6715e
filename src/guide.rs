//! The guide: one page for each subject, with programs to copy.
//!

// The pages are files in `docs/`, so that they can be read in the repository as well. There
// a link to another page is `[text][label]` with `[label]: page.md#heading` at the end of the
// file. Of two definitions of a label the first one counts (CommonMark 0.31.2, section 4.7),
// so the ones in `guide/links.md`, which stand before every page, turn the same links into
// links between modules. They need a blank line before them. `tests/links.rs` compares the two.
#![doc = include_str!("guide/links.md")]
#![doc = include_str!("../docs/README.md")]

/// One page of the guide. Its programs are tested only with the features that it needs.
macro_rules! page {
    ($name:ident, $file:literal) => {
        page!($name, $file, all(feature = "testing", feature = "rustls"));
    };
    ($name:ident, $file:literal, $needs:meta) => {
        #[doc = ""]
        #[doc = include_str!("guide/links.md")]
        #[cfg_attr(any(not(doctest), $needs), doc = include_str!($file))]
        pub mod $name {}
    };
}

page!(getting_started, "../docs/getting-started.md");
page!(providers, "../docs/providers.md");
page!(streaming, "../docs/streaming.md");
page!(tools, "../docs/tools.md");
page!(embeddings, "../docs/embeddings.md");
page!(errors, "../docs/errors.md");
page!(retries, "../docs/retries.md");
page!(routing, "../docs/routing.md");
page!(batches, "../docs/batches.md");
page!(limits, "../docs/limits.md");
page!(bulk, "../docs/bulk.md");
page!(settings, "../docs/settings.md");
page!(connections, "../docs/connections.md");
page!(costs, "../docs/costs.md");
page!(processes, "../docs/processes.md", all(feature = "sqlite", feature = "rustls"));
page!(observability, "../docs/observability.md");
page!(
    tracing,
    "../docs/tracing.md",
    all(feature = "tracing", feature = "metrics", feature = "rustls")
);
page!(testing, "../docs/testing.md");
page!(cache, "../docs/cache.md");
page!(replay, "../docs/replay.md");
page!(vertex, "../docs/vertex.md", all(feature = "vertex", feature = "rustls"));
page!(build_scripts, "../docs/build-scripts.md");
page!(security, "../docs/security.md");
page!(benchmarks, "../docs/benchmarks.md");
page!(migrating, "../docs/migrating.md");
