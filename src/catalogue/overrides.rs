//! Reads models from JSON.

use super::Model;
use super::model::Members;
use crate::settings_file::Unique;

/// Reads models by provider and name. An error says what is wrong and where.
pub(super) fn read(json: &str) -> Result<Vec<Model>, String> {
    let providers: Unique<Unique<Members>> =
        serde_json::from_str(json).map_err(|error| error.to_string())?;
    let mut read = Vec::new();
    for (provider, models) in providers.0 {
        for (id, members) in models.0 {
            read.push(Model::read(provider.trim(), id, members));
        }
    }
    Ok(read)
}
