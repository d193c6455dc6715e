//! Reads price files.

use std::sync::Arc;

use super::custom::CustomPrices;
use super::{Price, pattern};
use crate::settings_file::Unique;

/// Reads prices by provider and model. An error says what is wrong and where.
pub(super) fn read(json: &str) -> Result<CustomPrices, String> {
    let providers: Unique<Unique<Price>> =
        serde_json::from_str(json).map_err(|error| error.to_string())?;
    let mut custom = CustomPrices::default();
    for (provider, models) in providers.0 {
        let provider = pattern::fold(provider.trim());
        for (model, price) in models.0 {
            let model = pattern::fold(&model);
            custom.set(provider.clone().into_owned(), model.into_owned(), Arc::new(price));
        }
    }
    Ok(custom)
}
