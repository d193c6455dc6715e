//! The prices that are set over the table.

use std::sync::Arc;

use super::Price;

/// By the provider's name and the model's, both in lower case.
///
/// A sorted list: they are few, and set once. Maps of maps would take longer to compile than
/// all else that there is to prices.
#[derive(Debug, Clone, Default)]
pub(super) struct Own(Vec<Entry>);

#[derive(Debug, Clone)]
struct Entry {
    provider: String,
    model: String,
    price: Arc<Price>,
}

impl Entry {
    fn names(&self) -> (&str, &str) {
        (&self.provider, &self.model)
    }
}

impl Own {
    /// Sets a price, over the one that is there.
    pub(super) fn set(&mut self, provider: String, model: String, price: Arc<Price>) {
        match self.place(&provider, &model) {
            Ok(at) => self.0[at].price = price,
            Err(at) => self.0.insert(at, Entry { provider, model, price }),
        }
    }

    /// Sets what is set in `more`.
    pub(super) fn extend(&mut self, more: Self) {
        for Entry { provider, model, price } in more.0 {
            self.set(provider, model, price);
        }
    }

    pub(super) fn get(&self, provider: &str, model: &str) -> Option<&Arc<Price>> {
        self.place(provider, model).ok().map(|at| &self.0[at].price)
    }

    /// The names of a provider's models.
    pub(super) fn models<'a>(&'a self, provider: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let first = self.0.partition_point(|entry| entry.provider.as_str() < provider);
        let last = self.0.partition_point(|entry| entry.provider.as_str() <= provider);
        self.0[first..last].iter().map(|entry| entry.model.as_str())
    }

    /// All of them, with the names of provider and model.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str, &Price)> {
        self.0.iter().map(|entry| (entry.provider.as_str(), entry.model.as_str(), &*entry.price))
    }

    /// Where it is, or where it would be.
    fn place(&self, provider: &str, model: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|entry| entry.names().cmp(&(provider, model)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::Money;

    fn own(entries: &[(&str, &str, i64)]) -> Own {
        let mut own = Own::default();
        for (provider, model, dollars) in entries {
            let price = Price::per_million(Money::dollars(*dollars), Money::ZERO);
            own.set((*provider).to_owned(), (*model).to_owned(), Arc::new(price));
        }
        own
    }

    #[test]
    fn each_model_has_the_price_that_was_set_last() {
        let mut prices = own(&[("b", "x", 1), ("a", "y", 2), ("b", "x", 3), ("b", "a", 4)]);
        prices.extend(own(&[("a", "y", 5), ("c", "z", 6)]));
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
        assert_eq!(prices.iter().len(), 4);
    }

    #[test]
    fn the_models_of_a_provider_are_told_by_name() {
        let prices = own(&[("b", "y", 1), ("a", "y", 1), ("bb", "x", 1), ("b", "x", 1)]);
        for (provider, models) in
            [("a", &["y"][..]), ("b", &["x", "y"]), ("bb", &["x"]), ("c", &[])]
        {
            assert!(prices.models(provider).eq(models.iter().copied()), "{provider}");
        }
    }
}
