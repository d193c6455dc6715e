//! `CustomPrices`: prices set on top of the table.

use std::sync::Arc;

use super::Price;
use crate::sorted_map::SortedMap;

/// By the provider's name, then the model's, both in lower case.
#[derive(Debug, Clone, Default)]
pub(super) struct CustomPrices(SortedMap<String, SortedMap<String, Arc<Price>>>);

impl CustomPrices {
    /// Sets a price, replacing any earlier one.
    pub(super) fn set(&mut self, provider: String, model: String, price: Arc<Price>) {
        self.0.get_or_insert_with(provider, SortedMap::new).insert(model, price);
    }

    /// Adds the prices in `more`, replacing earlier ones.
    pub(super) fn extend(&mut self, more: Self) {
        for (provider, models) in more.0 {
            for (model, price) in models {
                self.set(provider.clone(), model, price);
            }
        }
    }

    pub(super) fn get(&self, provider: &str, model: &str) -> Option<&Arc<Price>> {
        self.0.get(provider)?.get(model)
    }

    /// The names of a provider's models, in order.
    pub(super) fn models<'a>(&'a self, provider: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.0.get(provider).into_iter().flat_map(SortedMap::keys).map(String::as_str)
    }

    /// All prices, with the names of provider and model.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str, &Price)> {
        self.0.iter().flat_map(|(provider, models)| {
            models.iter().map(|(model, price)| (provider.as_str(), model.as_str(), &**price))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::Money;

    fn custom(entries: &[(&str, &str, i64)]) -> CustomPrices {
        let mut custom = CustomPrices::default();
        for (provider, model, dollars) in entries {
            let price = Price::per_million(Money::dollars(*dollars), Money::ZERO);
            custom.set((*provider).to_owned(), (*model).to_owned(), Arc::new(price));
        }
        custom
    }

    #[test]
    fn each_model_has_the_price_that_was_set_last() {
        let mut prices = custom(&[("b", "x", 1), ("a", "y", 2), ("b", "x", 3), ("b", "a", 4)]);
        prices.extend(custom(&[("a", "y", 5), ("c", "z", 6)]));
        for (provider, model, price) in [
            ("a", "y", Some(5)),
            ("b", "a", Some(4)),
            ("b", "x", Some(3)),
            ("c", "z", Some(6)),
            ("a", "x", None),
        ] {
            let expected =
                price.map(|dollars| Price::per_million(Money::dollars(dollars), Money::ZERO));
            assert_eq!(prices.get(provider, model).map(|price| &**price), expected.as_ref());
        }
        assert_eq!(prices.iter().count(), 4);
    }

    #[test]
    fn a_providers_models_are_listed_by_name() {
        let prices = custom(&[("b", "y", 1), ("a", "y", 1), ("bb", "x", 1), ("b", "x", 1)]);
        for (provider, models) in
            [("a", &["y"][..]), ("b", &["x", "y"]), ("bb", &["x"]), ("c", &[])]
        {
            assert!(prices.models(provider).eq(models.iter().copied()), "{provider}");
        }
    }
}
