//! The guide, one page for each subject. Every page begins with a program to copy.

// The pages are files in `docs/`, so that they can be read in the repository as well. There
// a link to another page is `[text][label]` with `[label]: page.md#heading` at the end of the
// file. Of two definitions of a label the first one counts (CommonMark 0.31.2, section 4.7),
// so the ones in `guide/links.md`, which stand before every page, turn the same links into
// links between modules. `tests/links.rs` compares the two.
#![doc = include_str!("guide/links.md")]
#![doc = include_str!("../docs/README.md")]

/// One page of the guide. Its programs use the loopback provider and TLS, and some pages need
/// another feature (`$needs`). Without these, the programs are not tested.
macro_rules! page {
    ($name:ident, $file:literal) => {
        page!($name, $file, all());
    };
    ($name:ident, $file:literal, $needs:meta) => {
        #[doc = ""]
        #[doc = include_str!("guide/links.md")]
        #[cfg_attr(
                            any(not(doctest), all(feature = "testing", feature = "rustls", $needs)),
                            doc = include_str!(concat!("../docs/", $file))
                        )]
        pub mod $name {}
    };
}

page!(getting_started, "getting-started.md");
page!(providers, "providers.md");
page!(streaming, "streaming.md");
page!(tools, "tools.md");
page!(errors, "errors.md");
page!(retries, "retries.md");
page!(settings, "settings.md");
page!(connections, "connections.md");
page!(costs, "costs.md");
page!(processes, "processes.md", feature = "sqlite");
page!(observability, "observability.md");
page!(tracing, "tracing.md", all(feature = "tracing", feature = "metrics"));
page!(testing, "testing.md");
page!(build_scripts, "build-scripts.md");
page!(security, "security.md");
page!(benchmarks, "benchmarks.md");
page!(migrating, "migrating.md");
