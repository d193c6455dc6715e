//! Reads files of prices.

use std::sync::Arc;

use super::form::Unique;
use super::prices::Own;
use super::{Price, pattern};

/// Reads prices by provider and model, or says what is wrong with them and where.
pub(super) fn read(json: &str) -> Result<Own, String> {
    let providers: Unique<Unique<Price>> =
        serde_json::from_str(json).map_err(|error| error.to_string())?;
    let models = |models: Unique<Price>| {
        let fold =
            |(name, price): (String, _)| (pattern::fold(&name).into_owned(), Arc::new(price));
        models.0.into_iter().map(fold).collect()
    };
    let fold = |name: &str| pattern::fold(name.trim()).into_owned();
    Ok(providers.0.into_iter().map(|(name, prices)| (fold(&name), models(prices))).collect())
}
