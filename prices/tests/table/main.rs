//! Checks that the price table matches the data of genai-prices, and compares our prices with those
//! that genai-prices calculates.
//!
//! ```text
//! cargo test --manifest-path prices/Cargo.toml                                # check
//! TOLLGATE_WRITE_PRICES=1 cargo test --manifest-path prices/Cargo.toml table  # write
//! ```
//!
//! With `TOLLGATE_LITELLM` set to the path of LiteLLM's
//! `model_prices_and_context_window_backup.json`, the table takes its limits from there; otherwise
//! it keeps those of the present table.

mod differences;
mod generate;
mod oracle;
mod patterns;

use genai_prices::{PriceRequest, Usage as TheirUsage};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The provider and model that genai-prices finds for a name.
fn known(provider: &str, model: &str) -> Option<(String, String)> {
    let usage = TheirUsage::new();
    let request = PriceRequest::new(model, &usage).with_provider_id(provider);
    let found = genai_prices::calculate(&request).ok()?;
    Some((found.provider_id, found.model_id))
}

/// The path of the data, in the sources of the crate genai-prices.
fn data() -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--offline", "--locked", "--filter-platform"])
        .arg(host())
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")])
        .output()
        .expect("cargo runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata failed: {errors}");
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("cargo answers in JSON");
    let packages = metadata["packages"].as_array().expect("there are packages");
    let package = packages.iter().find(|package| package["name"] == "genai-prices");
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    let manifest = Path::new(manifest.expect("genai-prices is a dependency"));
    manifest.with_file_name("data").join("prices.json")
}

/// The platform that this runs on, as cargo names it.
fn host() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("-vV").output().expect("rustc runs");
    let version = String::from_utf8_lossy(&output.stdout);
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("rustc names its host").to_owned()
}

#[test]
fn the_table_matches_the_data() {
    let place = concat!(env!("CARGO_MANIFEST_DIR"), "/../src/cost/price/table.txt");
    let present = std::fs::read_to_string(place).expect("the table can be read");
    let data = std::fs::read_to_string(data()).expect("the data can be read");
    let litellm = std::env::var_os("TOLLGATE_LITELLM");
    let litellm = litellm.map(|path| std::fs::read_to_string(path).expect("LiteLLM's data"));
    let table = generate::table(&data, litellm.as_deref(), &present);
    if std::env::var_os("TOLLGATE_WRITE_PRICES").is_some() {
        std::fs::write(place, table).expect("the table can be written");
        return;
    }
    for (number, (line, written)) in present.lines().zip(table.lines()).enumerate() {
        assert_eq!(line, written, "line {}: run with TOLLGATE_WRITE_PRICES=1", number + 1);
    }
    assert_eq!(present.len(), table.len());
}
