//! The table of prices: how it is written, and that what it says is what genai-prices
//! says.
//!
//! `TOLLGATE_WRITE_PRICES=1 cargo test --test prices table` writes it anew from the data
//! of the crate genai-prices; with `TOLLGATE_LITELLM` set to the path of LiteLLM's
//! `model_prices_and_context_window_backup.json` with that one's limits, else with those
//! of the present table. Otherwise the test demands that nothing would change.

mod differences;
mod generate;
mod oracle;
mod patterns;

use genai_prices::{PriceRequest, Usage as TheirUsage};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The provider and the model that genai-prices finds by a name.
fn known(provider: &str, model: &str) -> Option<(String, String)> {
    let usage = TheirUsage::new();
    let request = PriceRequest::new(model, &usage).with_provider_id(provider);
    let found = genai_prices::calculate(&request).ok()?;
    Some((found.provider_id, found.model_id))
}

/// Where the data is: in the sources of the crate, which cargo knows the place of.
fn data() -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline"])
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")])
        .output()
        .expect("cargo runs");
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("cargo answers in JSON");
    let packages = metadata["packages"].as_array().expect("there are packages");
    let package = packages.iter().find(|package| package["name"] == "genai-prices");
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    let manifest = Path::new(manifest.expect("genai-prices is a dependency"));
    manifest.with_file_name("data").join("prices.json")
}

#[test]
fn the_table_is_what_the_data_makes_of_it() {
    let place = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cost/price/table.txt");
    let present = std::fs::read_to_string(place).expect("there is a table");
    let data = std::fs::read_to_string(data()).expect("there is data");
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
